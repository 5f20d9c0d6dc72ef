"""Project each patch, then average: the study's two resamplers without attention.

Table 1 of the study: "2-layer MLP", or "2-layer 2D convolution", followed by adaptive average
pooling. The grid becomes (frames_per_clip, a, b) with a * b = tokens_per_frame, a <= b as near to a
square as the number allows. The norm behind the projection is ours: it hands the language model
tokens of one scale whatever the encoder.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.connector.grids import average_pool
from apollo_core.design import ConvAvgResampler, MlpAvgResampler


class MlpAvg(nn.Module):
    """Two-layer MLP, then adaptive average pooling."""

    def __init__(self, spec: MlpAvgResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
        )
        self.size = (frames, *nearest_to_square(spec.tokens_per_frame))

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Pool each clip on its own."""
        pooled = average_pool(self.project(grid), self.size)
        return rearrange(pooled, "b t h w d -> b (t h w) d")


class ConvAvg(nn.Module):
    """Two 2-D convolutions in each temporal slot, then adaptive average pooling.

    The convolutions are 3 x 3 with a border of zeros, so that the grid keeps its size; the study
    gives no kernel, and 3 x 3 is the smallest that sees neighbours.
    """

    def __init__(self, spec: ConvAvgResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Conv2d(dim, hidden, kernel_size=3, padding=1),
            nn.GELU(),
            nn.Conv2d(hidden, hidden, kernel_size=3, padding=1),
        )
        self.norm = nn.LayerNorm(hidden)
        self.size = (frames, *nearest_to_square(spec.tokens_per_frame))

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Pool each clip on its own."""
        projected = self.project(rearrange(grid, "b t h w d -> (b t) d h w"))
        normed = self.norm(rearrange(projected, "(b t) d h w -> b t h w d", b=grid.shape[0]))
        return rearrange(average_pool(normed, self.size), "b t h w d -> b (t h w) d")


def nearest_to_square(count: int) -> tuple[int, int]:
    """(rows, columns) of `count` places."""
    rows = next(a for a in range(int(count**0.5), 0, -1) if count % a == 0)
    return rows, count // rows
