"""Grids change their size as torch's own functions change it."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from apollo_core.connector.grids import average_pool, averaging, interpolate, interpolation

SIZES = [(4, 6, 6), (4, 3, 5), (2, 7, 3), (1, 1, 1), (4, 27, 27)]
GRIDS = [(2, 3, 3), (4, 16, 16), (1, 1, 1), (8, 14, 9)]


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def channels_first(grid: Tensor) -> Tensor:
    return grid.movedim(-1, 1)


def channels_last(grid: Tensor) -> Tensor:
    return grid.movedim(1, -1)


def slow_trilinear(grid: Tensor, size: tuple[int, int, int]) -> Tensor:
    """One output place at a time: centres at (i + 1/2) old / new - 1/2, clamped at the edges."""
    out = torch.zeros(*size, grid.shape[-1], dtype=torch.float64)
    for place in itertools.product(*(range(n) for n in size)):
        corners: list[list[tuple[int, float]]] = []
        for i, old, new in zip(place, grid.shape[:3], size, strict=True):
            at = max((i + 0.5) * old / new - 0.5, 0.0)
            low = min(int(at), old - 1)
            high = min(low + 1, old - 1)
            corners.append([(low, 1 - (at - low)), (high, at - low)])
        for (t, a), (h, b), (w, c) in itertools.product(*corners):
            out[place] += a * b * c * grid[t, h, w].double()
    return out


@pytest.mark.parametrize("size", [(4, 6, 6), (4, 3, 5), (2, 7, 3)])
def test_interpolation_is_trilinear_between_the_centres_of_cells(size):
    grid = rand(2, 2, 3, 3, 5)
    resized = interpolate(grid, size)
    for one, expected in zip(resized, grid, strict=True):
        torch.testing.assert_close(one.double(), slow_trilinear(expected, size), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", GRIDS)
def test_interpolation_and_its_gradient_equal_torchs(shape, size):
    mine = rand(2, *shape, 3).requires_grad_()
    # In double: in single precision torch's weights themselves are some 1e-6 off.
    theirs = rand(2, *shape, 3).double().requires_grad_()
    resized = interpolate(mine, size)
    expected = channels_last(
        functional.interpolate(channels_first(theirs), size, mode="trilinear", align_corners=False)
    )
    torch.testing.assert_close(resized.double(), expected, atol=1e-6, rtol=1e-6)
    weights = rand(*resized.shape)
    resized.mul(weights).sum().backward()
    expected.mul(weights).sum().backward()
    assert mine.grad is not None
    torch.testing.assert_close(mine.grad.double(), theirs.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("shape", GRIDS)
def test_pooling_and_its_gradient_equal_torchs(shape, size):
    mine = rand(2, *shape, 3).requires_grad_()
    theirs = rand(2, *shape, 3).double().requires_grad_()
    pooled = average_pool(mine, size)
    expected = channels_last(functional.adaptive_avg_pool3d(channels_first(theirs), size))
    torch.testing.assert_close(pooled.double(), expected, atol=1e-6, rtol=1e-6)
    weights = rand(*pooled.shape)
    pooled.mul(weights).sum().backward()
    expected.mul(weights).sum().backward()
    assert mine.grad is not None
    torch.testing.assert_close(mine.grad.double(), theirs.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("matrix", [interpolation, averaging])
def test_every_new_place_is_a_weighted_mean_of_old_ones(matrix):
    for old, new in itertools.product(range(1, 9), repeat=2):
        weights = matrix(old, new)
        torch.testing.assert_close(weights.sum(1), torch.ones(new))
        assert (weights >= 0).all()


@pytest.mark.parametrize("resize", [interpolate, average_pool])
def test_a_grid_that_fits_is_handed_on_untouched(resize):
    grid = rand(1, 2, 3, 3, 5)
    assert torch.equal(resize(grid, (2, 3, 3)), grid)


@pytest.mark.parametrize("resize", [interpolate, average_pool])
def test_half_precision_is_computed_in_full_and_comes_back_in_its_own_type(resize):
    grid = rand(1, 2, 3, 3, 5).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        resized = resize(grid, (4, 2, 3))
    assert resized.dtype == torch.bfloat16
    assert torch.equal(resized, resize(grid.float(), (4, 2, 3)).bfloat16())


@pytest.mark.parametrize("resize", [interpolate, average_pool])
def test_resizing_first_in_inference_mode_leaves_training_possible(resize):
    with torch.inference_mode():
        resize(rand(1, 2, 11, 11, 5), (2, 5, 5))
    grid = rand(1, 2, 11, 11, 5).requires_grad_()
    resize(grid, (2, 5, 5)).sum().backward()
    assert grid.grad is not None
    torch.testing.assert_close(grid.grad.sum(), torch.tensor(2.0 * 5 * 5 * 5))


@pytest.mark.parametrize("resize", [interpolate, average_pool])
def test_resizing_first_while_models_are_made_without_memory_gives_values_all_the_same(resize):
    grid = rand(1, 2, 13, 13, 5)
    with torch.device("meta"):
        resized = resize(grid, (2, 5, 5))
    assert torch.equal(resized, resize(grid, (2, 5, 5)))
