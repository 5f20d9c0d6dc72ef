"""Which question of each category a film is dealt, and the answer that it must have.

Answers are dealt first and films are made to fit, so that a benchmark's answers are balanced
exactly whatever the films' lengths, rates and colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from apollo_core.microworld.chance import Purpose, Split, deal
from apollo_core.microworld.language import (
    COLOURS,
    DIGITS,
    DIRECTIONS,
    HEADINGS,
    NUMBERS,
    PLACES,
    SPEEDS,
)

COUNTS = NUMBERS[2:6]
SECONDS = NUMBERS[1:5]
MORE = NUMBERS[:4]

# Category -> families of questions -> the answers that each may have.
FAMILIES: dict[str, dict[str, tuple[str, ...]]] = {
    "temporal_ocr": {"first": DIGITS, "second": DIGITS, "last": DIGITS, "at": DIGITS},
    "egocentric": {"camera": DIRECTIONS},
    "spatial": {"where": PLACES, "heading": HEADINGS},
    "perception": {"colour_of": COLOURS, "colour_at": COLOURS, "speed": SPEEDS},
    "reasoning": {"count": COUNTS, "seconds": SECONDS, "more": MORE},
}
CATEGORIES = tuple(FAMILIES)

# The shortest film that a family's every answer fits into: two digits shown for two seconds each
# and three briefly; one digit for four and four briefly. Films that ask for them are never shorter,
# so that a film's length tells nothing of the answer.
NEEDS = {"at": 7.5, "seconds": 8.5}
NEEDS_BOTH = 9.5

_PURPOSES = {
    "temporal_ocr": Purpose.OCR,
    "egocentric": Purpose.CAMERA,
    "spatial": Purpose.SPATIAL,
    "perception": Purpose.PERCEPTION,
    "reasoning": Purpose.REASONING,
}


class Dealt(NamedTuple):
    """A family of questions and the answer it must have."""

    family: str
    answer: str


@dataclass(frozen=True)
class Focus:
    """What a film is dealt in each category."""

    temporal_ocr: Dealt
    egocentric: Dealt
    spatial: Dealt
    perception: Dealt
    reasoning: Dealt

    def answer(self, category: str, family: str) -> str | None:
        """The dealt answer where `family` is what this category was dealt, else None."""
        dealt: Dealt = getattr(self, category)
        return dealt.answer if dealt.family == family else None

    @property
    def needs(self) -> float:
        """Seconds that the film must last for its questions to have any of their answers."""
        asked = [NEEDS[d.family] for d in (self.temporal_ocr, self.reasoning) if d.family in NEEDS]
        return NEEDS_BOTH if len(asked) == 2 else max(asked, default=0.0)


def deal_focus(seed: int, split: Split, index: int, *, max_seconds: float) -> Focus:
    """Deal film `index` a family and an answer in each category, each from its own decks.

    Families that no film of `max_seconds` has room for are left out.
    """
    dealt = {
        category: deal(_cells(category, max_seconds), index, seed, split, purpose)
        for category, purpose in _PURPOSES.items()
    }
    return Focus(**dealt)


def _cells(category: str, max_seconds: float) -> tuple[Dealt, ...]:
    """Every family and answer, each family as often as the others of its category."""
    families = {
        family: answers
        for family, answers in FAMILIES[category].items()
        if family not in NEEDS or max_seconds >= NEEDS_BOTH
    }
    return tuple(
        Dealt(family, answer)
        for family, answer in (
            pair for family, answers in families.items() for pair in product([family], answers)
        )
    )
