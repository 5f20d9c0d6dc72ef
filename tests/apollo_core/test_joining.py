"""Grids of several encoders become one."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from apollo_core.joining import Join, interpolate


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


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize("size", [(4, 6, 6), (4, 3, 5), (2, 7, 3)])
def test_interpolation_is_trilinear_between_the_centres_of_cells(size):
    grid = rand(2, 2, 3, 3, 5)
    resized = interpolate(grid, size)
    for one, expected in zip(resized, grid, strict=True):
        torch.testing.assert_close(one.double(), slow_trilinear(expected, size), atol=1e-5, rtol=0)


def test_a_grid_that_fits_is_handed_on_untouched():
    grid = rand(1, 2, 3, 3, 5)
    assert interpolate(grid, (2, 3, 3)) is grid


def test_grids_meet_at_the_largest_of_each_side_with_channels_in_order():
    join = Join([5, 7])
    tall, fine = rand(2, 4, 3, 3, 5), rand(2, 2, 6, 5, 7)
    joined = join([tall, fine])
    assert joined.shape == (2, 4, 6, 5, 12)
    torch.testing.assert_close(joined[..., :5], interpolate(join.norms[0](tall), (4, 6, 5)))
    torch.testing.assert_close(joined[..., 5:], interpolate(join.norms[1](fine), (4, 6, 5)))


def test_features_of_very_different_scale_weigh_the_same():
    joined = Join([16, 16])([1000 * rand(2, 2, 3, 3, 16) + 50, 0.2 * rand(2, 2, 3, 3, 16)])
    first, second = joined[..., :16], joined[..., 16:]
    assert first.std().item() == pytest.approx(second.std().item(), rel=0.02)
    assert first.mean().item() == pytest.approx(0, abs=1e-5)


def test_half_precision_comes_back_in_its_own_type():
    grid = rand(1, 2, 3, 3, 5).bfloat16()
    resized = interpolate(grid, (4, 3, 3))
    assert resized.dtype == torch.bfloat16
    expected = interpolate(grid.float(), (4, 3, 3)).bfloat16()
    assert torch.equal(resized, expected)
