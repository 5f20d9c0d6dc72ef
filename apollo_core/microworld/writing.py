"""Texts without pixels: descriptions, written scenes with the very questions, sums and rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import choice, shuffled
from apollo_core.microworld.film import Film
from apollo_core.microworld.questions import clock, every_question
from apollo_core.microworld.scene import Flash
from apollo_core.microworld.still import Asked, Still, ask_still, describe_still


def describe(film: Film) -> str:
    """Say all that happens in the film: the answer to each of its questions is in the text."""
    parts = ", ".join(_part(flash) for flash in film.flashes)
    return f"{_scene(film)} {say.COUNTED_DIGITS.format(count=len(film.flashes), parts=parts)}"


def _scene(film: Film) -> str:
    moves = say.MOVES.format_map(vars(film.mover))
    stays = " ".join(say.LIES.format_map(vars(body)) for body in film.stayers)
    if film.camera == "still":
        camera = say.CAMERA_STILL
    else:
        camera = say.CAMERA_MOVES.format(direction=film.camera)
    return f"{moves} {stays} {camera}"


def describe_sights(film: Film) -> str:
    """Say what a clip of the film shows by itself, a sentence for each thing and no times: what
    encoders, which see clips apart, can learn from."""
    digits = " ".join(say.SHOWS.format(digit=digit) for digit in film.digits)
    return f"{_scene(film)} {digits}"


def _part(flash: Flash) -> str:
    at = say.PART_AT.format(clock=clock(flash.moments[0])) if flash.moments else ""
    lasting = say.PART_FOR.format(seconds=flash.seconds) if flash.seconds else ""
    return f"{flash.digit}{at}{lasting}"


def _told(flash: Flash) -> Flash:
    """The flash with the only moment that its description tells."""
    return replace(flash, moments=flash.moments[:1])


def write_film(
    film: Film, rng: np.random.Generator, turns: int, *, first: str | None = None
) -> list[Asked]:
    """A conversation about a described film: the description opens the first question.

    Args:
        film: what is described.
        rng: the source of chance.
        turns: at most so many questions.
        first: the family that is asked first; by chance if None.
    """
    told = replace(film, flashes=tuple(_told(flash) for flash in film.flashes))
    questions = shuffled(rng, every_question(told, rng))
    questions.sort(key=lambda question: question.family != first)
    asked = [(question.text, question.answer) for question in questions[:turns]]
    return [(f"{describe(film)} {asked[0][0]}", asked[0][1]), *asked[1:]]


def write_still(still: Still, rng: np.random.Generator, turns: int) -> list[Asked]:
    """A conversation about a described image: the description opens the first question."""
    asked = ask_still(still, rng)[:turns]
    return [(f"{describe_still(still)} {asked[0][0]}", asked[0][1]), *asked[1:]]


def write_sum(rng: np.random.Generator) -> Asked:
    """A sum, a difference or a row of numbers whose answer is one digit, half of them in words."""
    question, answer = _sum(rng)
    if rng.integers(2):
        return say.IN_WORDS + question, say.NUMBERS[answer]
    return question, str(answer)


def _sum(rng: np.random.Generator) -> tuple[str, int]:
    kind = int(rng.integers(3))
    answer = int(rng.integers(10))
    if kind == 0:
        part = int(rng.integers(answer + 1))
        return say.SUM.format(a=part, b=answer - part), answer
    if kind == 1:
        whole = int(rng.integers(answer, 10))
        return say.DIFFERENCE.format(a=whole, b=whole - answer), answer
    step = choice(rng, [s for s in (-2, -1, 1, 2) if 0 <= answer - 3 * s <= 9])
    row = ", ".join(str(answer - step * back) for back in (3, 2, 1))
    return say.NEXT.format(row=row), answer
