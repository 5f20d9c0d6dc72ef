"""Join the grids of several encoders into one, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Join(nn.Module):
    """Normalise each encoder's features, bring all grids to the largest, concatenate channels.

    Encoders differ in scale by orders of magnitude; without a norm each the larger one drowns the
    other. The interpolation is trilinear without aligned corners, in fp32, as in the study's
    released code.
    """

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for dim in dims)
        self.dim = sum(dims)

    def forward(
        self, grids: Sequence[Float[Tensor, "clips _ _ _ _"]]
    ) -> Float[Tensor, "clips slots rows columns dim"]:
        """`grids`: one per encoder, (clips, slots, rows, columns, its own dim)."""
        shapes = [grid.shape[1:4] for grid in grids]
        largest = tuple(max(sizes) for sizes in zip(*shapes, strict=True))
        normed = (norm(grid) for norm, grid in zip(self.norms, grids, strict=True))
        return torch.cat([interpolate(grid, largest) for grid in normed], dim=-1)


def interpolate(
    grid: Float[Tensor, "clips _ _ _ dim"], size: tuple[int, ...]
) -> Float[Tensor, "clips slots rows columns dim"]:
    """Bring a grid to `size` = (slots, rows, columns); untouched when it fits."""
    if tuple(grid.shape[1:4]) == size:
        return grid
    channels_first = rearrange(grid.float(), "b t h w d -> b d t h w")
    resized = functional.interpolate(channels_first, size, mode="trilinear", align_corners=False)
    return rearrange(resized, "b d t h w -> b t h w d").to(grid.dtype)
