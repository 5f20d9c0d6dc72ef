"""Texts without pixels: descriptions, written scenes with the very questions, sums and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import choice, shuffled
from apollo_core.microworld.film import Film
from apollo_core.microworld.focus import FAMILIES
from apollo_core.microworld.questions import Question, clock, every_question
from apollo_core.microworld.scene import Flash
from apollo_core.microworld.still import Asked, Still, ask_still, sentences_of

# Families that ask for numbers of digits and seconds.
_NUMBERS = ("count", "seconds")
# What a model learns to read from, before it sees anything. Most scenes are told in part, and half
# are told over again in another order: that is what taught models of these sizes to look a word up
# and to take what stands beside it (docs/laboratory.md). Whole scenes come too, as captions are.
_IN_PART = 0.8
_BODIES = 0.4
_FEW = 3
_AGAIN = 0.5


@dataclass(frozen=True)
class Fact:
    """A sentence about a film, and which questions it answers.

    Attributes:
        families: of the questions.
        named: words of which such a question names one; empty: any question of the families.
    """

    sentence: str
    families: frozenset[str]
    named: frozenset[str] = frozenset()

    def tells(self, question: Question) -> bool:
        """Whether the answer is in the sentence."""
        named = not self.named or not self.named.isdisjoint(question.asked)
        return question.family in self.families and named


def _bodies(film: Film) -> list[Fact]:
    moves = Fact(
        say.MOVES.format_map(vars(film.mover)),
        frozenset({"heading", "speed", "colour_of"}),
        frozenset({film.mover.shape}),
    )
    lying = frozenset({"where", "colour_of", "colour_at"})
    stays = (
        Fact(say.LIES.format_map(vars(body)), lying, frozenset({body.shape, body.place}))
        for body in film.stayers
    )
    return [moves, *stays]


def facts(film: Film) -> list[Fact]:
    """All that happens in the film, a sentence each."""
    camera = Fact(say.CAMERA_MOVES.format(direction=film.camera), frozenset({"camera"}))
    parts = ", ".join(_part(flash) for flash in film.flashes)
    shown = Fact(
        say.DIGITS_SHOWN.format(parts=parts), frozenset({*FAMILIES["temporal_ocr"], *_NUMBERS})
    )
    return [*_bodies(film), camera, shown]


def describe(film: Film, rng: np.random.Generator) -> str:
    """Say all that happens in the film, in random order: each question's answer is in the text."""
    return _say(facts(film), rng)


def describe_action(film: Film) -> str:
    """Say what moves in the film and where to, a sentence for each thing and no times: what video
    encoders, which see clips apart, can learn from. The rest is in any picture."""
    mover = say.MOVER_IS.format_map(vars(film.mover))
    camera = say.CAMERA_MOVES.format(direction=film.camera)
    return f"{mover} {film.mover.heading}. {film.mover.speed}. {camera}"


def _say(told: Sequence[Fact], rng: np.random.Generator) -> str:
    return " ".join(fact.sentence for fact in shuffled(rng, told))


def _part(flash: Flash) -> str:
    at = say.PART_AT.format(clock=clock(flash.moments[0])) if flash.moments else ""
    lasting = say.PART_FOR.format(seconds=say.NUMBERS[flash.seconds]) if flash.seconds else ""
    return f"{at}{flash.digit}{lasting}"


def _told(flash: Flash) -> Flash:
    """The flash with the only moment that its description tells."""
    return replace(flash, moments=flash.moments[:1])


def _questions(film: Film, rng: np.random.Generator) -> list[Question]:
    """Of each family what the film's description tells, in random order."""
    told = replace(film, flashes=tuple(_told(flash) for flash in film.flashes))
    return shuffled(rng, every_question(told, rng))


def write_film(film: Film, rng: np.random.Generator, *, first: str | None = None) -> Asked:
    """A question about a described film, behind its description.

    Args:
        film: what is described.
        rng: the source of chance.
        first: the family that it is of; by chance if None.
    """
    questions = sorted(_questions(film, rng), key=lambda question: question.family != first)
    return f"{describe(film, rng)} {questions[0].text}", questions[0].answer


def practise_film(film: Film, rng: np.random.Generator, turns: int) -> list[Asked]:
    """A conversation about what is told of a film, mostly a part of it.

    Args:
        film: what is described.
        rng: the source of chance.
        turns: at most so many questions.
    """
    every = facts(film)
    told = every
    if rng.random() < _IN_PART:
        bodies = rng.random() < _BODIES
        among = _bodies(film) if bodies else every
        told = shuffled(rng, among)[: int(rng.integers(1, (len(among) if bodies else _FEW) + 1))]
    whole = len(told) == len(every)
    asked = [
        (question.text, question.answer)
        for question in _questions(film, rng)
        if any(fact.tells(question) for fact in told) or (whole and question.family == "more")
    ]
    return _practise([fact.sentence for fact in told], say.DESCRIBE_VIDEO, asked[:turns], rng)


def practise_still(still: Still, rng: np.random.Generator, turns: int) -> list[Asked]:
    """A conversation about a described image, likewise."""
    asked = ask_still(still, rng)[:turns]
    return _practise(sentences_of(still), say.DESCRIBE_IMAGE, asked, rng)


def _practise(
    sentences: Sequence[str], describe_it: str, asked: Sequence[Asked], rng: np.random.Generator
) -> list[Asked]:
    """What is told opens the first turn."""
    turns = list(asked)
    if rng.random() < _AGAIN:
        turns.insert(0, (describe_it, " ".join(shuffled(rng, sentences))))
    opening = " ".join(shuffled(rng, sentences))
    return [(f"{opening} {turns[0][0]}", turns[0][1]), *turns[1:]]


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
