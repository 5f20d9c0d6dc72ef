"""Which words ask about a medium: what a text-conditioned resampler reads beside the patches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apollo_core.media.reader import Shown
from apollo_core.text.chat import IGNORED, TEXT, Encoded

NO_WORD = -1
SEVERAL = -2


def questions(one: Encoded, shown: Shown) -> tuple[tuple[int, ...], ...]:
    """For each medium that the conversation shows, token ids of the question about it."""
    places = shown.places or shown.counts
    per_clip = one.clips_tokens // max(1, sum(places))
    began = [per_clip * sum(places[:medium]) for medium in range(len(places))]
    return tuple(_words_around(one, visual) for visual in began)


def _words_around(one: Encoded, visual: int) -> tuple[int, ...]:
    """The words of the turn that shows visual token `visual`: before the first and after the last
    visual token of the turn, up to the answer.

    The question stands on either side of its media, so both are taken; what is between media
    (timestamps, mostly) is not. The chat template's own words are among them: they are the same
    for every question. A turn goes from one answer to the next, so nothing that is to be predicted
    behind a medium is ever taken; of several turns about one medium the first is its question.
    """
    here = np.flatnonzero(one.source == visual)
    if not len(here):
        return ()
    answers = np.flatnonzero(one.labels != IGNORED)
    begin = int(max(answers[answers < here[0]], default=-1)) + 1
    end = int(min(answers[answers > here[0]], default=len(one.tokens)))
    source, place = one.source[begin:end], np.arange(end - begin)
    seen = np.flatnonzero(source >= 0)
    near = (place < seen[0]) | (place > seen[-1])
    return tuple(one.tokens[begin:end][near & (source == TEXT)].tolist())


def asked_of(
    encoded: Sequence[Encoded], media: Sequence[Shown], shown: Sequence[int]
) -> list[tuple[int, ...]]:
    """For each medium of each of `media` the one question about it, or (`SEVERAL`,)."""
    found: list[list[set[tuple[int, ...]]]] = [[set() for _ in one.counts] for one in media]
    for one, index in zip(encoded, shown, strict=True):
        if index >= 0:
            for about, words in zip(found[index], questions(one, media[index]), strict=True):
                about.add(words)
    every = [about for one in found for about in one]
    return [(SEVERAL,) if len(about) > 1 else next(iter(about), ()) for about in every]


def without_sharing(
    encoded: Sequence[Encoded], media: Sequence[Shown], shown: Sequence[int]
) -> tuple[list[Shown], list[int]]:
    """Repeat media so that conversations share some only where they ask the same of each.

    Returns:
        media and, for each conversation, the index of what it shows.
    """
    places: dict[tuple[int, tuple[tuple[int, ...], ...]], int] = {}
    indices = [
        places.setdefault((index, questions(one, media[index])), len(places)) if index >= 0 else -1
        for one, index in zip(encoded, shown, strict=True)
    ]
    return [media[index] for index, _ in places], indices
