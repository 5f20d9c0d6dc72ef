"""Multiple-choice items of four options whose text gives nothing away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apollo_core.microworld.chance import Purpose, Split, deal, shuffled, stream
from apollo_core.microworld.film import Film
from apollo_core.microworld.focus import CATEGORIES, Focus
from apollo_core.microworld.questions import Question, dealt_questions

LETTERS = "ABCD"


@dataclass(frozen=True)
class Item:
    """A multiple-choice item: `options` with the right one at `letter`."""

    question: Question
    options: tuple[str, ...]
    letter: str


def make_items(film: Film, focus: Focus, seed: int, index: int) -> list[Item]:
    """The items of benchmark film `index`, right options dealt evenly to A-D."""
    rng = stream(seed, Split.BENCH, Purpose.QUESTIONS, index)
    items = []
    for kind, question in enumerate(dealt_questions(film, focus, rng)):
        place = deal(range(len(LETTERS)), index, seed, Split.BENCH, Purpose.POSITION, kind)
        items.append(Item(question, tuple(_options(question, place, rng)), LETTERS[place]))
    assert [item.question.category for item in items] == list(CATEGORIES)
    return items


def _options(question: Question, place: int, rng: np.random.Generator) -> Sequence[str]:
    rivals = shuffled(rng, question.rivals)
    taken = {question.answer, *rivals}
    fill = shuffled(rng, [word for word in question.pool if word not in taken])
    wrong = shuffled(rng, [*rivals, *fill][: len(LETTERS) - 1])
    return [*wrong[:place], question.answer, *wrong[place:]]
