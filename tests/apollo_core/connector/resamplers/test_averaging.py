"""Projection of patches, then adaptive average pooling."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from apollo_core.connector.resamplers.averaging import ConvAvg, MlpAvg
from apollo_core.design import ConvAvgResampler, MlpAvgResampler


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def mlp_avg(tokens: int, frames: int = 2) -> MlpAvg:
    spec = MlpAvgResampler(kind="mlp_avg", tokens_per_frame=tokens)
    return MlpAvg(spec, 5, 8, frames)


def conv_avg(tokens: int, frames: int = 2) -> ConvAvg:
    spec = ConvAvgResampler(kind="conv_avg", tokens_per_frame=tokens)
    return ConvAvg(spec, 5, 8, frames)


def test_mlp_avg_means_over_equal_blocks_after_the_projection():
    module = mlp_avg(6)
    grid = rand(2, 2, 4, 6, 5)
    projected = module.project(grid)
    pooled = module(grid).reshape(2, 2, 2, 3, 8)  # 6 tokens stand 2 by 3
    for row in range(2):
        for column in range(3):
            block = projected[:, :, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            torch.testing.assert_close(pooled[:, :, row, column], block.mean((2, 3)))


def test_mlp_avg_pools_as_torch_does_where_the_blocks_overlap():
    module = mlp_avg(6)
    grid = rand(2, 3, 7, 5, 5)
    channels_first = module.project(grid).movedim(-1, 1)
    expected = functional.adaptive_avg_pool3d(channels_first, (2, 2, 3)).movedim(1, -1)
    torch.testing.assert_close(module(grid), expected.reshape(2, 12, 8), atol=1e-6, rtol=1e-5)


def test_a_prime_count_stands_in_one_row():
    assert mlp_avg(7).size == (2, 1, 7)
    assert conv_avg(7).size == (2, 1, 7)


def test_the_slots_of_a_video_encoder_are_shared_among_the_frames():
    tokens = mlp_avg(1, frames=4)(rand(1, 2, 3, 3, 5))[0]
    assert torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[2], tokens[3])
    assert not torch.equal(tokens[1], tokens[2])


def slow_convolution(module: torch.nn.Conv2d, picture: Tensor) -> Tensor:
    """(rows, columns, channels): at each place the sum over its 3 x 3 neighbours inside."""
    assert module.bias is not None
    rows, columns, _ = picture.shape
    out = torch.zeros(rows, columns, module.out_channels)
    for row in range(rows):
        for column in range(columns):
            out[row, column] = module.bias
            for y in range(max(0, row - 1), min(rows, row + 2)):
                for x in range(max(0, column - 1), min(columns, column + 2)):
                    kernel = module.weight[:, :, y - row + 1, x - column + 1]
                    out[row, column] += kernel @ picture[y, x]
    return out


def test_conv_avg_equals_a_slow_reference_slot_by_slot():
    module = conv_avg(4)
    first, _, second = module.project
    assert isinstance(first, torch.nn.Conv2d)
    assert isinstance(second, torch.nn.Conv2d)
    grid = rand(1, 2, 4, 4, 5)
    with torch.no_grad():
        for slot, tokens in zip(grid[0], module(grid)[0].reshape(2, 2, 2, 8), strict=True):
            seen = slow_convolution(second, functional.gelu(slow_convolution(first, slot)))
            normed = functional.layer_norm(seen, (8,), module.norm.weight, module.norm.bias)
            for row in range(2):
                for column in range(2):
                    block = normed[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
                    torch.testing.assert_close(
                        tokens[row, column], block.mean((0, 1)), atol=1e-5, rtol=1e-5
                    )


def test_a_convolution_sees_its_own_slot_alone():
    module = conv_avg(4)
    grid = rand(1, 2, 4, 4, 5)
    other = grid.clone()
    other[:, 1] += 1
    assert torch.equal(module(grid)[:, :4], module(other)[:, :4])
    assert not torch.equal(module(grid)[:, 4:], module(other)[:, 4:])
