"""From a grid to a fixed number of tokens."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apollo_core.connector import Connector
from apollo_core.design import ConvAvgResampler, MlpAvgResampler, PerceiverResampler
from apollo_core.errors import BadInput
from apollo_core.geometry import connector_parameters
from apollo_core.resamplers import Attention, MlpAvg, Perceiver, PerceiverLayer, build_resampler

SMALL = PerceiverResampler(
    kind="perceiver", tokens_per_frame=3, depth=2, heads=4, kv_heads=2, head_dim=6, mlp_ratio=2
)
STUDY = PerceiverResampler(kind="perceiver", tokens_per_frame=16)


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def slow_attention(layer: Attention, latents: Tensor, context: Tensor) -> Tensor:
    """One query and one head at a time, over the patches and the latents of one clip."""
    seen = torch.cat([context, latents])
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
        latents = latents + slow_attention(layer.attention, normed[0], normed[1])
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


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize("count", [1, 4, 6, 7, 16])
@pytest.mark.parametrize("kind", ["perceiver", "mlp_avg"])
def test_a_clip_becomes_its_tokens_per_frame_times_its_frames(kind, count, slots):
    spec = (
        PerceiverResampler(kind="perceiver", tokens_per_frame=count, heads=2, kv_heads=1)
        if kind == "perceiver"
        else MlpAvgResampler(kind="mlp_avg", tokens_per_frame=count)
    )
    module = build_resampler(spec, dim=5, hidden=8, frames=4)
    assert module(rand(2, slots, 6, 6, 5)).shape == (2, 4 * count, 8)


def test_mlp_avg_means_over_equal_blocks_after_the_projection():
    module = MlpAvg(MlpAvgResampler(kind="mlp_avg", tokens_per_frame=6), 5, 8, 2)
    grid = rand(2, 2, 4, 6, 5)
    projected = module.project(grid)
    pooled = module(grid).reshape(2, 2, 2, 3, 8)  # 6 tokens stand 2 by 3
    for row in range(2):
        for column in range(3):
            block = projected[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(pooled[:, :, row, column], block.mean((2, 3)))


def test_mlp_avg_of_a_prime_count_stands_in_one_row():
    module = MlpAvg(MlpAvgResampler(kind="mlp_avg", tokens_per_frame=7), 5, 8, 2)
    assert module.size == (2, 1, 7)


def test_mlp_avg_shares_the_slots_of_a_video_encoder_among_the_frames():
    module = MlpAvg(MlpAvgResampler(kind="mlp_avg", tokens_per_frame=1), 5, 8, 4)
    tokens = module(rand(1, 2, 3, 3, 5))[0]
    assert torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[2], tokens[3])
    assert not torch.equal(tokens[1], tokens[2])


@pytest.mark.parametrize("kind", ["perceiver", "mlp_avg"])
def test_clips_do_not_see_one_another(kind):
    spec = SMALL if kind == "perceiver" else MlpAvgResampler(kind="mlp_avg", tokens_per_frame=4)
    module = build_resampler(spec, dim=5, hidden=8, frames=2)
    grid = rand(3, 2, 4, 4, 5)
    alone = torch.cat([module(clip[None]) for clip in grid])
    torch.testing.assert_close(module(grid), alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("hidden", "millions"), [(1536, 38.4), (2048, 63.6), (3584, 177.0)])
def test_the_connector_has_the_parameters_of_the_studys_table_7(hidden, millions):
    with torch.device("meta"):
        connector = Connector(STUDY, dims=[1408, 1152], hidden=hidden, frames_per_clip=4)
    count = sum(parameter.numel() for parameter in connector.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.005)
    planned = connector_parameters(STUDY, dim=2560, hidden=hidden, frames_per_clip=4)
    assert count == pytest.approx(planned, rel=0.001)


def test_a_kind_that_is_not_built_is_refused():
    spec = ConvAvgResampler(kind="conv_avg", tokens_per_frame=4)
    with pytest.raises(BadInput, match=r"resampler\.kind.*conv_avg"):
        build_resampler(spec, dim=5, hidden=8, frames=2)


def test_heads_that_share_keys_average_to_softmax_over_the_groups_values():
    attention = Attention(8, SMALL)
    with torch.no_grad():
        attention.q.weight.zero_()  # all places weigh the same
    latents, context = rand(1, 3, 8), rand(1, 5, 8)
    seen = torch.cat([context, latents], 1)
    mean = functional.linear(seen, attention.v.weight).mean(1)
    heads = torch.cat([mean[:, 6 * g : 6 * g + 6] for g in (0, 0, 1, 1)], 1)
    expected = functional.linear(heads, attention.o.weight)
    torch.testing.assert_close(attention(latents, context)[:, 0], expected)
