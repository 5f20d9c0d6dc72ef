"""Which words ask about a medium: what a text-conditioned resampler reads beside the patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apollo_core.chat import IGNORED, TEXT, Encoded
from apollo_core.media import Shown

NO_WORD = -1
SEVERAL = -2


def question(one: Encoded) -> tuple[int, ...]:
    """Token ids of the text before the first and after the last visual token, up to the answer.

    The question stands on either side of its media, so both are taken; what is between media
    (timestamps, mostly) is not. The chat template's own words are among them: they are the same
    for every question. Nothing that is to be predicted behind a medium is ever taken; hence of
    several turns about one medium only the first is its question.
    """
    supervised = np.flatnonzero(one.labels != IGNORED)
    end = int(supervised[0]) if len(supervised) else len(one.tokens)
    visual = np.flatnonzero(one.source >= 0)
    first = int(visual[0]) if len(visual) else len(one.tokens)
    last = max((int(place) for place in visual if place < end), default=first)
    place = np.arange(len(one.tokens))
    near = (place < first) | ((place > last) & (place < end))
    return tuple(one.tokens[near & (one.source == TEXT)].tolist())


def asked_of(encoded: Sequence[Encoded], shown: Sequence[int], media: int) -> list[tuple[int, ...]]:
    """For each of `media` samples' media the one question about it, or (`SEVERAL`,)."""
    found: list[set[tuple[int, ...]]] = [set() for _ in range(media)]
    for one, medium in zip(encoded, shown, strict=True):
        if medium >= 0:
            found[medium].add(question(one))
    return [(SEVERAL,) if len(each) > 1 else next(iter(each), ()) for each in found]


def without_sharing(
    encoded: Sequence[Encoded], media: Sequence[Shown], shown: Sequence[int]
) -> tuple[list[Shown], list[int]]:
    """Repeat media so that conversations share one only where they ask the same.

    Returns:
        media and, for each conversation, the index of what it shows.
    """
    places: dict[tuple[int, tuple[int, ...]], int] = {}
    indices = [
        places.setdefault((medium, question(one)), len(places)) if medium >= 0 else -1
        for one, medium in zip(encoded, shown, strict=True)
    ]
    return [media[medium] for medium, _ in places], indices
