"""Tables of positions over a grid of time, rows and columns: made by formula, or resized."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from apollo_core.errors import BadData


class Grid(NamedTuple):
    """How many places a table has along each axis."""

    slots: int
    rows: int
    columns: int


def sincos(dim: int, grid: Grid) -> Float[Tensor, "1 tokens {dim}"]:
    r"""Sine-cosine positions in three dimensions, each axis with the same number of channels.

    An axis has $a = 2 \lceil D / 6 \rceil$ channels: $\sin(p\,\omega_i)$, then $\cos(p\,\omega_i)$,
    with $\omega_i = 10000^{-2 i / a}$ and $0 \le i < a / 2$. Time comes first, then rows, then
    columns; what exceeds $D$ is cut from the last.

    Source: `uniform_power` of the published V-JEPA code.
    """
    axis = 2 * math.ceil(dim / 6)
    # In float64, as the published tables were made; angles reach the hundreds in float32.
    rates = 10000.0 ** -(torch.arange(axis // 2, dtype=torch.float64) / (axis / 2))
    waves = []
    for count in grid:
        angles = torch.arange(count, dtype=torch.float64)[:, None] * rates
        waves.append(torch.cat([angles.sin(), angles.cos()], dim=-1))
    time, row, column = waves
    table = torch.cat(
        [
            repeat(time, "t d -> t h w d", h=grid.rows, w=grid.columns),
            repeat(row, "h d -> t h w d", t=grid.slots, w=grid.columns),
            repeat(column, "w d -> t h w d", t=grid.slots, h=grid.rows),
        ],
        dim=-1,
    )
    return rearrange(table[..., :dim], "t h w d -> 1 (t h w) d").float()


def trilinear(
    table: Float[Tensor, "1 places dim"], before: Grid, after: Grid
) -> Float[Tensor, "1 tokens dim"]:
    """Resize a table in time and space at once; as it is where the grids agree."""
    if before == after:
        return table
    volume = rearrange(table, "1 (t h w) d -> 1 d t h w", t=before.slots, h=before.rows)
    sized = functional.interpolate(volume, tuple(after), mode="trilinear", align_corners=False)
    return rearrange(sized, "1 d t h w -> 1 (t h w) d")


def linear_then_bicubic(
    table: Float[Tensor, "1 places dim"], before: Grid, after: Grid
) -> Float[Tensor, "1 tokens dim"]:
    """Resize a table linearly in time, then bicubically in space; an axis that agrees is kept."""
    if before.slots != after.slots:
        lines = rearrange(table, "1 (t p) d -> p d t", t=before.slots)
        lines = functional.interpolate(lines, after.slots, mode="linear", align_corners=False)
        table = rearrange(lines, "p d t -> 1 (t p) d")
    if before[1:] != after[1:]:
        planes = rearrange(table, "1 (t h w) d -> t d h w", t=after.slots, h=before.rows)
        planes = functional.interpolate(planes, after[1:], mode="bicubic", align_corners=False)
        table = rearrange(planes, "t d h w -> 1 (t h w) d")
    return table


def square_grid(places: int, slots: int, *, origin: str) -> Grid:
    """The grid of a stored table of `places` rows: `slots` squares.

    Raises:
        BadData: it can't be cut so; `origin` is named.
    """
    side = math.isqrt(places // slots)
    if not side or slots * side**2 != places:
        raise BadData(
            f"{origin}: a table of {places} positions is not {slots} squares, one for each slot; "
            "config.json beside it may say its num_frames"
        )
    return Grid(slots, side, side)
