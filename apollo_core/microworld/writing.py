"""Texts without pixels: descriptions, written scenes with the very questions, sums and rows."""

from __future__ import annotations

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import choice, shuffled
from apollo_core.microworld.film import Film
from apollo_core.microworld.questions import every_question
from apollo_core.microworld.still import Asked, Still, ask_still, describe_still


def describe(film: Film) -> str:
    """Say all that happens in the film: the answer to each of its questions is in the text."""
    mover, stayer = film.mover, film.stayer
    if film.camera == "still":
        camera = say.CAMERA_STILL
    else:
        camera = say.CAMERA_MOVES.format(direction=film.camera)
    form = say.ONE_DIGIT if len(film.digits) == 1 else say.MANY_DIGITS
    digits = form.format(count=len(film.digits), digits=", ".join(film.digits))
    moves = say.MOVES.format(
        colour=mover.colour, shape=mover.shape, start=mover.start, end=mover.end
    )
    stays = say.STAYS.format(colour=stayer.colour, shape=stayer.shape, place=stayer.end)
    return f"{moves} {stays} {camera} {digits}"


def write_film(film: Film, rng: np.random.Generator, turns: int) -> list[Asked]:
    """A conversation about a described film: the description opens the first question."""
    asked = [(q.text, q.answer) for q in shuffled(rng, every_question(film, rng))[:turns]]
    return [(f"{describe(film)} {asked[0][0]}", asked[0][1]), *asked[1:]]


def write_still(still: Still, rng: np.random.Generator, turns: int) -> list[Asked]:
    """A conversation about a described image: the description opens the first question."""
    asked = ask_still(still, rng)[:turns]
    return [(f"{describe_still(still)} {asked[0][0]}", asked[0][1]), *asked[1:]]


def write_sum(rng: np.random.Generator) -> Asked:
    """A sum, a difference or a row of numbers whose answer is one digit."""
    kind = int(rng.integers(3))
    answer = int(rng.integers(10))
    if kind == 0:
        part = int(rng.integers(answer + 1))
        return say.SUM.format(a=part, b=answer - part), str(answer)
    if kind == 1:
        whole = int(rng.integers(answer, 10))
        return say.DIFFERENCE.format(a=whole, b=whole - answer), str(answer)
    step = choice(rng, [s for s in (-2, -1, 1, 2) if 0 <= answer - 3 * s <= 9])
    row = ", ".join(str(answer - step * back) for back in (3, 2, 1))
    return say.NEXT.format(row=row), str(answer)
