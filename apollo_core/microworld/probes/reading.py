"""The reader: from a sight of a film and a question to the chance of answering right."""

from __future__ import annotations

from collections import Counter

from apollo_core.microworld.film import Film
from apollo_core.microworld.items import Item
from apollo_core.microworld.probes.reading_digits import (
    vote_at,
    vote_count,
    vote_order,
    vote_seconds,
)
from apollo_core.microworld.probes.reading_grids import vote_space
from apollo_core.microworld.probes.reading_motion import vote_camera, vote_heading, vote_speed
from apollo_core.microworld.probes.sights import Sight

# Families that one frame decides; the others need frames.
IN_SPACE = ("where", "colour_of", "colour_at", "more")


def chance_in_time(sight: Sight, item: Item) -> float:
    """Chance that the reader of these frames answers right, by what can be known of their order,
    times and contents; every frame is legible.

    Raises:
        KeyError: the question is of a family `IN_SPACE`.
    """
    return _chance(_VOTES[item.question.family](sight, item), item)


def chance_in_space(film: Film, item: Item, cells: int) -> float:
    """Chance that the reader of one frame, pooled to `cells` x `cells`, answers right."""
    return _chance(vote_space(film, item.question, cells), item)


def _chance(votes: Counter[str], item: Item) -> float:
    """The options with most votes are tied; without a vote for any, all are."""
    heard = [votes[option] for option in item.options]
    best = [o for o, count in zip(item.options, heard, strict=True) if count == max(heard)]
    return (item.question.answer in best) / len(best)


def _order(sight: Sight, item: Item) -> Counter[str]:
    return vote_order(sight, item.question.family, item.options)


_VOTES = {
    "first": _order,
    "second": _order,
    "last": _order,
    "at": lambda sight, item: vote_at(sight, float(item.question.asked[0])),
    "camera": lambda sight, _item: vote_camera(sight),
    "heading": lambda sight, _item: vote_heading(sight),
    "speed": lambda sight, _item: vote_speed(sight),
    "count": lambda sight, _item: vote_count(sight),
    "seconds": lambda sight, item: vote_seconds(sight, item.question.asked[0]),
}
