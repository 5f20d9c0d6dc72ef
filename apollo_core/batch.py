"""What the model takes: conversations side by side, with their clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from apollo_core.chat import IGNORED, TEXT, Encoded
from apollo_core.errors import BadData


@dataclass(frozen=True)
class Batch:
    """Padded conversations and the clips that they show.

    Attributes:
        tokens: token ids.
        labels: token to be predicted at a position, or -100.
        attended: False where padded.
        source: -1 text, -2 and -3 the marks around a clip, else a row of the visual tokens of
            `clips`, all clips' tokens counted through.
        clips: frames as decoded; conversations may share a clip.
    """

    tokens: Int[Tensor, "batch length"]
    labels: Int[Tensor, "batch length"]
    attended: Bool[Tensor, "batch length"]
    source: Int[Tensor, "batch length"]
    clips: UInt8[Tensor, "clips frames height width 3"]

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        fields = ("tokens", "labels", "attended", "source", "clips")
        return replace(self, **{name: getattr(self, name).to(device) for name in fields})

    @property
    def supervised(self) -> int:
        """Positions with a label."""
        return int((self.labels != IGNORED).sum())


def collate(
    encoded: Sequence[Encoded],
    frames: Sequence[np.ndarray],
    shown: Sequence[int],
    *,
    tokens_per_clip: int,
) -> Batch:
    """Pad on the right and number the visual tokens of all media through.

    Args:
        encoded: conversations.
        frames: clips of each distinct medium, uint8, (clips, frames, height, width, 3).
        shown: index into `frames` of each conversation's medium, -1 for none.
        tokens_per_clip: visual tokens of one clip.

    Raises:
        BadData: a conversation has places for another number of clips than its medium has.
    """
    counts = [len(clips) * tokens_per_clip for clips in frames]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    length = max(len(one.tokens) for one in encoded)
    shape = (len(encoded), length)
    tokens, labels = np.zeros(shape, np.int64), np.full(shape, IGNORED, np.int64)
    source, attended = np.full(shape, TEXT, np.int64), np.zeros(shape, bool)
    for row, (one, medium) in enumerate(zip(encoded, shown, strict=True)):
        expected = counts[medium] if medium >= 0 else 0
        if one.clips_tokens != expected:
            raise BadData(
                f"a conversation has places for {one.clips_tokens} visual tokens, its media give "
                f"{expected}"
            )
        end = len(one.tokens)
        offset = offsets[medium] if medium >= 0 else 0
        tokens[row, :end], labels[row, :end], attended[row, :end] = one.tokens, one.labels, True
        source[row, :end] = np.where(one.source >= 0, one.source + offset, one.source)
    clips = np.concatenate(frames) if frames else np.zeros((0, 1, 1, 1, 3), np.uint8)
    arrays = (tokens, labels, attended, source, clips)
    return Batch(*(torch.from_numpy(array) for array in arrays))
