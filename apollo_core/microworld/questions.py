"""What can be asked of a film, and multiple-choice items whose text gives nothing away.

Given question and options, each option is equally likely to be right: answers are dealt uniformly,
other options come from the same words, and rival words that the film holds (the other digits, the
other shape's colour) are among the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import Purpose, Split, choice, deal, shuffled, stream
from apollo_core.microworld.film import COUNTS, Body, Film, Focus

CATEGORIES = ("temporal_ocr", "egocentric", "spatial", "perception", "reasoning")
LETTERS = "ABCD"


@dataclass(frozen=True)
class Question:
    """A question with its answer; `rivals` must be options, the rest comes from `pool`."""

    category: str
    text: str
    answer: str
    pool: tuple[str, ...]
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """A multiple-choice item: `options` with the right one at `letter`."""

    category: str
    text: str
    options: tuple[str, ...]
    letter: str


def ask_digit(film: Film, moment: str) -> Question:
    """Which digit comes first, or last; the film must show at least two."""
    place, text = (0, say.DIGIT_FIRST) if moment == "start" else (-1, say.DIGIT_LAST)
    answer = film.digits[place]
    rivals = tuple(d for d in film.digits if d != answer)
    return Question("temporal_ocr", text, answer, say.DIGITS, rivals)


def ask_camera(film: Film) -> Question:
    """Which way the camera moves, or that it is still."""
    return Question("egocentric", say.CAMERA, film.camera, say.DIRECTIONS)


def ask_where(body: Body, moment: str) -> Question:
    """On which side of the screen a shape is at the start or at the end."""
    text = say.WHERE.format(colour=body.colour, shape=body.shape, moment=moment)
    return Question("spatial", text, body.start if moment == "start" else body.end, say.PLACES)


def ask_colour(body: Body, other: Body) -> Question:
    """The colour of the shape so named."""
    text = say.COLOUR_OF.format(shape=body.shape)
    return Question("perception", text, body.colour, say.COLOURS, (other.colour,))


def ask_moving_shape(film: Film) -> Question:
    """Which of the shapes moves."""
    return Question("perception", say.MOVING_SHAPE, film.mover.shape, say.SHAPES)


def ask_count(film: Film) -> Question:
    """How many digits appear, over the whole film."""
    pool = tuple(str(n) for n in COUNTS)
    return Question("reasoning", say.COUNT, str(len(film.digits)), pool)


def ask_moving_colour(film: Film) -> Question:
    """The colour of whichever shape moves: motion and colour together."""
    rivals = (film.stayer.colour,)
    return Question("reasoning", say.MOVING_COLOUR, film.mover.colour, say.COLOURS, rivals)


def every_question(film: Film, rng: np.random.Generator) -> list[Question]:
    """All that training asks of one film; the moments of the two spatial questions are drawn."""
    bodies = (film.mover, film.stayer)
    ordered = [ask_digit(film, moment) for moment in say.MOMENTS] if len(film.digits) > 1 else []
    return [
        *ordered,
        ask_camera(film),
        *(ask_where(body, choice(rng, say.MOMENTS)) for body in bodies),
        ask_colour(film.mover, film.stayer),
        ask_colour(film.stayer, film.mover),
        ask_moving_shape(film),
        ask_count(film),
        ask_moving_colour(film),
    ]


def dealt_questions(film: Film, focus: Focus) -> list[tuple[int | None, Question]]:
    """The benchmark's questions of one film, one per category.

    Each comes with its rank within its category where that differs from the film's index.
    """
    body, other = film.mover, film.stayer
    if focus.role == "stayer":
        where = ask_where(other, focus.moment)
    else:
        where = ask_where(body, focus.moment)
    if focus.perceived == "shape":
        percept = ask_moving_shape(film)
    else:
        percept = ask_colour(*((body, other) if body.colour == focus.percept else (other, body)))
    reasoned = ask_count(film) if focus.reasoned == "count" else ask_moving_colour(film)
    questions = [ask_camera(film), where, percept, reasoned]
    dealt: list[tuple[int | None, Question]] = [(None, question) for question in questions]
    if focus.ocr_rank is not None:
        dealt.insert(0, (focus.ocr_rank, ask_digit(film, focus.ocr_moment)))
    return dealt


def _options(question: Question, place: int, rng: np.random.Generator) -> Sequence[str]:
    taken = {question.answer, *question.rivals}
    fill = shuffled(rng, [word for word in question.pool if word not in taken])
    wrong = shuffled(rng, [*question.rivals, *fill][: len(LETTERS) - 1])
    return [*wrong[:place], question.answer, *wrong[place:]]


def make_items(film: Film, focus: Focus, seed: int, index: int) -> list[Item]:
    """The multiple-choice items of benchmark film `index`, right options dealt evenly to A-D."""
    rng = stream(seed, Split.BENCH, Purpose.QUESTIONS, index)
    items = []
    for rank, question in dealt_questions(film, focus):
        kind = CATEGORIES.index(question.category)
        number = index if rank is None else rank
        place = deal(range(len(LETTERS)), number, seed, Split.BENCH, Purpose.POSITION, kind)
        options = _options(question, place, rng)
        items.append(Item(question.category, question.text, tuple(options), LETTERS[place]))
    return items
