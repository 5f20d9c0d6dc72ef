"""Join the grids of several encoders into one, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.connector.grids import interpolate


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
        slots, rows, columns = (max(sizes) for sizes in zip(*shapes, strict=True))
        normed = (norm(grid) for norm, grid in zip(self.norms, grids, strict=True))
        return torch.cat([interpolate(grid, (slots, rows, columns)) for grid in normed], dim=-1)
