"""What the model takes: conversations side by side, with their clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from apollo_core.chat import IGNORED, TEXT, Encoded
from apollo_core.errors import BadData
from apollo_core.media import Shown


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
        still: for each clip, whether it is one picture repeated.
        medium: for each clip, the running number of the image or video that it is of.
    """

    tokens: Int[Tensor, "batch length"]
    labels: Int[Tensor, "batch length"]
    attended: Bool[Tensor, "batch length"]
    source: Int[Tensor, "batch length"]
    clips: UInt8[Tensor, "clips frames height width 3"]
    still: Bool[Tensor, " clips"]
    medium: Int[Tensor, " clips"]

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        moved = {field.name: getattr(self, field.name).to(device) for field in fields(self)}
        return replace(self, **moved)

    @property
    def supervised(self) -> int:
        """Positions with a label."""
        return int((self.labels != IGNORED).sum())


def collate(
    encoded: Sequence[Encoded],
    media: Sequence[Shown],
    shown: Sequence[int],
    *,
    tokens_per_clip: int,
) -> Batch:
    """Pad on the right and number the visual tokens of all media through.

    Args:
        encoded: conversations.
        media: what distinct samples show.
        shown: index into `media` of what each conversation shows, -1 for nothing.
        tokens_per_clip: visual tokens of one clip.

    Raises:
        BadData: a conversation has places for another number of clips than its medium has.
    """
    counts = [len(one.frames) * tokens_per_clip for one in media]
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
    none = np.zeros((0, 1, 1, 1, 3), np.uint8)
    clips = np.concatenate([one.frames for one in media]) if media else none
    lengths = [count for one in media for count in one.counts]
    still = np.repeat(np.array([s for one in media for s in one.still], bool), lengths)
    medium = np.repeat(np.arange(len(lengths)), lengths)
    arrays = (tokens, labels, attended, source, clips, still, medium)
    return Batch(*(torch.from_numpy(array) for array in arrays))
