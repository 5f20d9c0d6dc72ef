"""Latents read patches and one another, equal to a slow reference."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from apollo_core.connector.resamplers.attention import Attention
from apollo_core.connector.resamplers.perceiver import Perceiver, PerceiverLayer
from apollo_core.design import PerceiverResampler

SMALL = PerceiverResampler(
    kind="perceiver", tokens_per_frame=3, depth=2, heads=4, kv_heads=2, head_dim=6, mlp_ratio=2
)


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def slow_attention(layer: Attention, latents: Tensor, seen: Tensor) -> Tensor:
    """One query and one head at a time, over the places that one clip's latents see."""
    width = layer.q.out_features // layer.heads
    shared = layer.heads // layer.kv_heads
    read: list[Tensor] = []
    for latent in latents:
        heads: list[Tensor] = []
        for head in range(layer.heads):
            own = slice(head * width, (head + 1) * width)
            group = slice(head // shared * width, (head // shared + 1) * width)
            query = layer.q.weight[own] @ latent
            keys = [layer.k.weight[group] @ place for place in seen]
            weights = torch.stack([query @ key / math.sqrt(width) for key in keys]).softmax(0)
            values = [layer.v.weight[group] @ place for place in seen]
            heads.append(sum((w * v for w, v in zip(weights, values, strict=True)), query * 0))
        read.append(layer.o.weight @ torch.cat(heads))
    return torch.stack(read)


def slow_perceiver(module: Perceiver, grid: Tensor) -> Tensor:
    context = grid.reshape(-1, grid.shape[-1]) @ module.project.weight.T + module.project.bias
    latents = module.latents
    for layer in module.layers:
        assert isinstance(layer, PerceiverLayer)
        normed = [
            norm(x) for norm, x in ((layer.norm_latents, latents), (layer.norm_context, context))
        ]
        latents = latents + slow_attention(
            layer.attention, normed[0], torch.cat([normed[1], normed[0]])
        )
        x = layer.norm_mlp(latents)
        gate, up = x @ layer.mlp.gate.weight.T, x @ layer.mlp.up.weight.T
        latents = latents + (gate * torch.sigmoid(gate) * up) @ layer.mlp.down.weight.T
    return module.norm(latents)


def test_the_perceiver_equals_a_slow_reference():
    torch.manual_seed(0)
    module = Perceiver(SMALL, 5, 8, 2)
    grid = rand(3, 2, 2, 3, 5)
    with torch.no_grad():
        module.latents.normal_()
        tokens = module(grid)
        for one, clip in zip(tokens, grid, strict=True):
            torch.testing.assert_close(one, slow_perceiver(module, clip), atol=1e-5, rtol=1e-5)


def test_heads_that_share_keys_average_to_softmax_over_the_groups_values():
    attention = Attention(8, heads=4, kv_heads=2, head_dim=6)
    with torch.no_grad():
        attention.q.weight.zero_()  # all places weigh the same
    latents, context = rand(1, 3, 8), rand(1, 5, 8)
    seen = torch.cat([context, latents], 1)
    mean = functional.linear(seen, attention.v.weight).mean(1)
    heads = torch.cat([mean[:, 6 * g : 6 * g + 6] for g in (0, 0, 1, 1)], 1)
    expected = functional.linear(heads, attention.o.weight)
    torch.testing.assert_close(attention(latents, seen)[:, 0], expected)
