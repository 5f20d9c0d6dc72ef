"""Tables of positions: made and resized."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apollo_core.encoders import positions
from apollo_core.encoders.positions import Grid

RESIZES = [positions.trilinear, positions.linear_then_bicubic]
SMALL = Grid(2, 4, 4)
OTHERS = [Grid(4, 4, 4), Grid(1, 4, 4), Grid(2, 6, 6), Grid(3, 2, 2)]


def table(grid: Grid, seed: int = 0) -> Tensor:
    places = grid.slots * grid.rows * grid.columns
    return torch.randn(1, places, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("resize", RESIZES)
def test_a_table_of_the_right_size_stays_as_it_is(resize):
    assert torch.equal(resize(table(SMALL), SMALL, SMALL), table(SMALL))


@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("after", OTHERS)
def test_a_constant_table_stays_constant(resize, after):
    before = torch.arange(5.0).expand(1, 32, 5)
    sized = resize(before, SMALL, after)
    assert sized.shape == (1, after.slots * after.rows * after.columns, 5)
    torch.testing.assert_close(sized, sized.new_tensor(range(5)).expand_as(sized))


@pytest.mark.parametrize("resize", RESIZES)
def test_a_table_that_grows_along_one_axis_grows_along_that_axis_alone(resize):
    # Far inside a straight line; torch's bicubic (its a is -0.75) follows one to a twentieth.
    for axis in range(3):
        before, after = Grid(8, 8, 8), Grid(16, 16, 16)
        line = torch.linspace(0, 7, 8).view([8 if axis == each else 1 for each in range(3)])
        grown = resize(line.expand(8, 8, 8).reshape(1, 512, 1), before, after).view(16, 16, 16)
        along = grown.movedim(axis, 0)
        torch.testing.assert_close(along, along[:, :1, :1].expand_as(along))
        expected = (torch.arange(16) + 0.5) / 2 - 0.5
        torch.testing.assert_close(along[4:12, 0, 0], expected[4:12], rtol=0, atol=0.05)


def test_in_time_alone_the_two_ways_agree():
    after = Grid(5, 4, 4)
    torch.testing.assert_close(
        positions.trilinear(table(SMALL), SMALL, after),
        positions.linear_then_bicubic(table(SMALL), SMALL, after),
    )


def test_every_axis_of_a_made_table_has_an_equal_share_of_channels():
    made = positions.sincos(12, Grid(3, 4, 5)).view(3, 4, 5, 12)
    for axis, channels in enumerate((slice(0, 4), slice(4, 8), slice(8, 12))):
        share = made[..., channels].movedim(axis, 0)
        assert torch.equal(share, share[:, :1, :1].expand_as(share))
        assert len(torch.unique(share[:, 0, 0], dim=0)) == (3, 4, 5)[axis]


@pytest.mark.parametrize("dim", [7, 16, 20, 48])
def test_a_table_is_made_for_any_width(dim):
    assert positions.sincos(dim, SMALL).shape == (1, 32, dim)
