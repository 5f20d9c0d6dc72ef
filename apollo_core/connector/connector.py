"""The connector: everything between the vision encoders and the language model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from apollo_core.connector.branches import encoders_of_stills
from apollo_core.connector.clip_merging import remember
from apollo_core.connector.joining import Join
from apollo_core.connector.resamplers.kinds import build_resampler, is_conditioned
from apollo_core.connector.resamplers.qformer import Words
from apollo_core.design import Joining, MemoryBank, Resampler


class Branch(nn.Module):
    """Join some encoders' grids, project, resample.

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

    def read(
        self, grids: Sequence[Float[Tensor, "clips _ _ _ _"]], words: Words | None
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Grids of all its encoders over the same clips to visual tokens."""
        joined = self.join(grids)
        return self.resampler(joined) if words is None else self.resampler(joined, words)


class Connector(Branch):
    """The branch of all encoders; beside it, with `split`, that of stills; and a clip's two marks.

    `marks` are learned embeddings of `<vid_start>` and `<vid_end>`: they live here and not in the
    language model's vocabulary, so that a stage with a frozen language model can learn them.

    Args:
        resampler, dims, hidden, frames_per_clip: as a branch's.
        joining: `split` gives stills a branch of their own, behind the image encoders alone.
        per_frame: for each encoder whether it is an image encoder; only `split` asks.
        memory: bound on the clips that a long video keeps.

    Attributes:
        tokens_per_clip: visual tokens of one clip.
        conditioned: whether a clip's tokens depend on the question about it. Conversations that ask
            different things must then not share clips: `collate(..., conditioned=True)` sees to it.

    Raises:
        BadInput: `split` without an image encoder.
    """

    def __init__(
        self,
        resampler: Resampler,
        *,
        dims: Sequence[int],
        hidden: int,
        frames_per_clip: int,
        joining: Joining = "unified",
        per_frame: Sequence[bool] = (),
        memory: MemoryBank | None = None,
    ) -> None:
        super().__init__(resampler, dims=dims, hidden=hidden, frames_per_clip=frames_per_clip)
        self.marks = nn.Parameter(torch.randn(2, hidden) * 0.02)
        self.tokens_per_clip = frames_per_clip * resampler.tokens_per_frame
        self.conditioned = is_conditioned(resampler)
        self.memory = memory
        self._see_stills = encoders_of_stills(joining, per_frame)
        self.stills: Branch | None = None
        if self._see_stills is not None:
            self.stills = Branch(
                resampler,
                dims=[dims[place] for place in self._see_stills],
                hidden=hidden,
                frames_per_clip=frames_per_clip,
            )

    def needed(self, encoder: int, still: Bool[Tensor, " clips"]) -> Bool[Tensor, " clips"]:
        """The clips that an encoder has to see: all, but of stills with `split` no video encoder's.

        Args:
            encoder: its place in the design.
            still: for each clip whether it is one picture repeated.
        """
        everything = self._see_stills is None or encoder in self._see_stills
        return torch.ones_like(still) if everything else ~still

    def forward(
        self,
        grids: Sequence[Float[Tensor, "_ _ _ _ _"]],
        *,
        still: Bool[Tensor, " clips"] | None = None,
        words: Words | None = None,
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Each encoder's grid of the clips that it needs to visual tokens of all clips.

        Args:
            grids: in the design's order, each over its `needed` clips.
            still: which clips are one picture repeated; `unified` does not ask.
            words: the question about each clip, exactly where the connector is `conditioned`.
        """
        if self._see_stills is None or self.stills is None:
            return self.read(grids, words)
        assert still is not None
        moving = ~still
        read: list[Tensor] = []
        if bool(still.any()):
            seen = [grids[place][still] for place in self._see_stills]
            read.append(self.stills.read(seen, words and words.of(still)))
        if bool(moving.any()):
            images = self._see_stills
            seen = [grid[moving] if place in images else grid for place, grid in enumerate(grids)]
            read.append(self.read(seen, words and words.of(moving)))
        order = torch.cat([still.nonzero(), moving.nonzero()])[:, 0]
        return torch.cat(read)[order.argsort()]

    def remembered(
        self,
        tokens: Float[Tensor, "clips tokens hidden"],
        *,
        medium: Int[Tensor, " clips"],
        still: Bool[Tensor, " clips"],
    ) -> Float[Tensor, "places tokens hidden"]:
        """What is left of the clips' tokens for the text: all, or what the memory bank keeps."""
        if self.memory is None:
            return tokens
        return remember(tokens, self.memory, medium=medium, still=still)
