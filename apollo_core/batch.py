"""What the model takes: conversations side by side, with their clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Bool, Int, UInt8
from torch import Tensor

from apollo_core.errors import BadData
from apollo_core.features.feature_keeper import MediumFeatures
from apollo_core.media.reader import Shown
from apollo_core.text.asking import NO_WORD, asked_of, without_sharing
from apollo_core.text.chat import IGNORED, TEXT, Encoded


@dataclass(frozen=True)
class Batch:
    """Padded conversations and the clips that they show.

    A medium is one image or one video; media are numbered through the batch.

    Attributes:
        tokens: token ids.
        labels: token to be predicted at a position, or -100.
        attended: False where padded.
        source: -1 text, -2 and -3 the marks around a clip, else a row of the visual tokens of
            `clips`, all places' tokens counted through.
        clips: frames as decoded, of the media whose features are not all known; conversations may
            share a clip.
        still: for each clip, whether it is one picture repeated.
        medium: for each clip, the number of the medium that it is of.
        places: for each medium, how many clips' tokens stand in the text: its clips, or fewer
            where the connector's memory bank merges them.
        asked: for each medium, token ids of the question about it; -1 behind its end, -2 where
            conversations that share the medium ask different questions.
        positions: of a packed batch (`training.packing`), which is one row: where each token stands
            in its own conversation; None where each conversation has a row of its own.
        known: for each medium, which of its features are kept; () where none are asked for.
    """

    tokens: Int[Tensor, "batch length"]
    labels: Int[Tensor, "batch length"]
    attended: Bool[Tensor, "batch length"]
    source: Int[Tensor, "batch length"]
    clips: UInt8[Tensor, "decoded frames height width 3"]
    still: Bool[Tensor, " clips"]
    medium: Int[Tensor, " clips"]
    places: Int[Tensor, " media"]
    asked: Int[Tensor, "media words"]
    positions: Int[Tensor, "batch length"] | None = None
    known: tuple[MediumFeatures | None, ...] = ()

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        tensors = {name: t for name, t in own.items() if isinstance(t, Tensor)}
        return replace(self, **{name: t.to(device) for name, t in tensors.items()})

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
    conditioned: bool = False,
) -> Batch:
    """Pad on the right and number the visual tokens of all media through.

    Args:
        encoded: conversations.
        media: what distinct samples show.
        shown: index into `media` of what each conversation shows, -1 for nothing.
        tokens_per_clip: visual tokens of one clip.
        conditioned: `connector.conditioned`: a clip's tokens depend on the question. Conversations
            that ask different things about shared media then get clips of their own.

    Raises:
        BadData: a conversation has places for another number of clips than its medium has.
    """
    if conditioned:
        media, shown = without_sharing(encoded, media, shown)
    places = [one.places or one.counts for one in media]
    counts = [sum(one) * tokens_per_clip for one in places]
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
    arrays = (
        *(tokens, labels, attended, source),
        *_clips(media),
        np.array([count for one in places for count in one], np.int64),
        _asked(encoded, media, shown),
    )
    tensors = (torch.from_numpy(array) for array in arrays)
    return Batch(*tensors, known=_known(media))


def _known(media: Sequence[Shown]) -> tuple[MediumFeatures | None, ...]:
    if not any(one.known for one in media):
        return ()
    return tuple(known for one in media for known in one.known or (None,) * len(one.counts))


def _clips(media: Sequence[Shown]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All decoded frames; for each clip whether it is still, and its medium."""
    none = np.zeros((0, 1, 1, 1, 3), np.uint8)
    clips = np.concatenate([one.frames for one in media]) if media else none
    lengths = [count for one in media for count in one.counts]
    still = np.repeat(np.array([s for one in media for s in one.still], bool), lengths)
    return clips, still, np.repeat(np.arange(len(lengths)), lengths)


def _asked(encoded: Sequence[Encoded], media: Sequence[Shown], shown: Sequence[int]) -> np.ndarray:
    """One padded row for each medium."""
    rows = asked_of(encoded, media, shown)
    padded = np.full((len(rows), max(map(len, rows), default=0)), NO_WORD, np.int64)
    for row, ids in zip(padded, rows, strict=True):
        row[: len(ids)] = ids
    return padded
