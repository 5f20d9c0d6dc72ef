"""The connector: everything between the vision encoders and the language model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.design import Resampler
from apollo_core.joining import Join
from apollo_core.resamplers import build_resampler


class Connector(nn.Module):
    """Join the encoders' grids, project, resample; and the two marks around a clip.

    `marks` are learned embeddings of `<vid_start>` and `<vid_end>`: they live here and not in the
    language model's vocabulary, so that a stage with a frozen language model can learn them.

    Args:
        resampler: kind and sizes.
        dims: channels of each encoder.
        hidden: width of the language model.
        frames_per_clip: frames of a clip.
    """

    def __init__(
        self, resampler: Resampler, *, dims: Sequence[int], hidden: int, frames_per_clip: int
    ) -> None:
        super().__init__()
        self.join = Join(dims)
        self.resampler = build_resampler(
            resampler, dim=self.join.dim, hidden=hidden, frames=frames_per_clip
        )
        self.marks = nn.Parameter(torch.randn(2, hidden) * 0.02)
        self.tokens_per_clip = frames_per_clip * resampler.tokens_per_frame

    def forward(
        self, grids: Sequence[Float[Tensor, "clips _ _ _ _"]]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Grids of all encoders over the same clips to visual tokens."""
        return self.resampler(self.join(grids))
