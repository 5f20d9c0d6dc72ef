"""What holds of every resampler."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apollo_core.catalogue import RESAMPLERS as KNOWN
from apollo_core.connector.resamplers.attention_pool import AttentionPool
from apollo_core.connector.resamplers.kinds import RESAMPLERS, build_resampler
from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
    Resampler,
)


def spec(kind: str, tokens: int = 4) -> Resampler:
    """A small one of each kind."""
    small = {"heads": 2, "head_dim": 6}
    every: dict[str, Resampler] = {
        "perceiver": PerceiverResampler(
            kind="perceiver", tokens_per_frame=tokens, depth=2, kv_heads=1, **small
        ),
        "mlp_avg": MlpAvgResampler(kind="mlp_avg", tokens_per_frame=tokens),
        "conv_avg": ConvAvgResampler(kind="conv_avg", tokens_per_frame=tokens),
        "attention_pool": AttentionPoolResampler(
            kind="attention_pool", tokens_per_frame=tokens, **small
        ),
        "qformer": QFormerResampler(kind="qformer", tokens_per_frame=tokens, width=12, heads=2),
    }
    return every[kind]


def built(kind: str, tokens: int = 4, frames: int = 2) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_resampler(spec(kind, tokens), dim=5, hidden=8, frames=frames)


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def test_every_kind_of_the_catalogue_is_built():
    assert set(RESAMPLERS) == {kind for kind, ready in KNOWN.items() if ready} == set(KNOWN)


@pytest.mark.parametrize("slots", [2, 4])
@pytest.mark.parametrize("count", [1, 4, 6, 7, 16])
@pytest.mark.parametrize("kind", RESAMPLERS)
def test_a_clip_becomes_its_tokens_per_frame_times_its_frames(kind, count, slots):
    assert built(kind, count, frames=4)(rand(2, slots, 6, 6, 5)).shape == (2, 4 * count, 8)


@pytest.mark.parametrize("kind", RESAMPLERS)
def test_clips_do_not_see_one_another(kind):
    module, grid = built(kind), rand(3, 2, 4, 4, 5)
    alone = torch.cat([module(clip[None]) for clip in grid])
    torch.testing.assert_close(module(grid), alone, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", RESAMPLERS)
def test_every_patch_counts(kind):
    module = built(kind)
    grid = rand(1, 2, 4, 4, 5).requires_grad_()
    module(grid).square().sum().backward()
    assert grid.grad is not None
    assert (grid.grad.abs().sum(-1) > 0).all()


@pytest.mark.parametrize("kind", RESAMPLERS)
def test_the_same_twice_gives_the_same_bits_with_deterministic_algorithms(kind):
    module, grid = built(kind), rand(3, 2, 5, 5, 5)
    torch.use_deterministic_algorithms(mode=True)
    try:
        found: list[Tensor] = []
        for _ in range(2):
            module.zero_grad()
            module(grid).square().sum().backward()
            found.append(
                torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
            )
    finally:
        torch.use_deterministic_algorithms(mode=False)
    assert torch.equal(found[0], found[1])


def test_an_attention_pools_query_reads_the_mean_of_the_values_when_nothing_stands_out():
    pool = built("attention_pool")
    assert isinstance(pool, AttentionPool)
    grid = rand(1, 2, 4, 4, 5)
    with torch.no_grad():
        pool.attention.q.weight.zero_()
    context = pool.norm_context(pool.project(grid.reshape(1, -1, 5)))
    read = pool.attention.o(pool.attention.v(context).mean(1, keepdim=True))
    torch.testing.assert_close(pool(grid), pool.norm(pool.queries[None] + read))
