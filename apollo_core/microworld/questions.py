"""What can be asked of a film.

Given question and options, each option is equally likely to be right: answers are dealt uniformly,
other options come from the same words, and rival words that the film holds (the other digits, the
other shapes' colours) are among the options.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from apollo_core.microworld import language as say
from apollo_core.microworld.chance import choice, shuffled
from apollo_core.microworld.colouring import differences
from apollo_core.microworld.film import Film
from apollo_core.microworld.focus import FAMILIES, Focus
from apollo_core.microworld.scene import Body, Flash, Mover

# What another modality teaches, and videos in training ask of few films: of several pictures the
# second, of pictures what lies at a place, of text the arithmetic and the answer in words.
RARE = ("second", "colour_at", "more")
RARE_SHARE = 0.25


@dataclass(frozen=True)
class Question:
    """A question with its answer; `rivals` must be options, the rest comes from the pool.

    Attributes:
        category: of the benchmark.
        family: of questions that ask for the same thing.
        asked: the words in it that the film holds: what it is about.
    """

    category: str
    family: str
    text: str
    answer: str
    rivals: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def pool(self) -> tuple[str, ...]:
        """Every answer that this family of questions may have."""
        return FAMILIES[self.category][self.family]


def clock(moment: int) -> str:
    """A whole second as texts have it: `MM:SS`."""
    return f"{moment // 60:02d}:{moment % 60:02d}"


def ask_digit(film: Film, family: str) -> Question:
    """Which digit is shown first, second or last."""
    place, text = {
        "first": (0, say.DIGIT_FIRST),
        "second": (1, say.DIGIT_SECOND),
        "last": (-1, say.DIGIT_LAST),
    }[family]
    return _of_digits(film, family, text, film.digits[place])


def ask_at(film: Film, flash: Flash, moment: int) -> Question:
    """Which digit is shown at a whole second, well inside its time."""
    now = clock(moment)
    return _of_digits(film, "at", say.DIGIT_AT.format(clock=now), flash.digit, asked=(str(moment),))


def ask_camera(film: Film) -> Question:
    """Which way the camera moves, or that it is still."""
    return Question("egocentric", "camera", say.CAMERA, film.camera)


def ask_where(body: Body) -> Question:
    """On which side of the screen a shape lies."""
    text = say.WHERE.format(colour=body.colour, shape=body.shape)
    return Question("spatial", "where", text, body.place, asked=(body.colour, body.shape))


def ask_heading(mover: Mover) -> Question:
    """Which way the shape that does not stay moves on the screen."""
    text = say.HEADING.format(shape=mover.shape)
    return Question("spatial", "heading", text, mover.heading, asked=(mover.shape,))


def ask_colour_of(body: Body | Mover) -> Question:
    """The colour of the shape so named."""
    text = say.COLOUR_OF.format(shape=body.shape)
    return Question("perception", "colour_of", text, body.colour, asked=(body.shape,))


def ask_colour_at(body: Body) -> Question:
    """The colour of the shape at a side of the screen."""
    text = say.COLOUR_AT.format(place=body.place)
    return Question("perception", "colour_at", text, body.colour, asked=(body.place,))


def ask_speed(mover: Mover) -> Question:
    """How fast the mover is, in pixels a second whatever the film's length and rate."""
    text = say.SPEED.format(shape=mover.shape)
    return Question("perception", "speed", text, mover.speed, asked=(mover.shape,))


def ask_count(film: Film) -> Question:
    """How many digits are shown, over the whole film."""
    return Question("reasoning", "count", say.COUNT, say.NUMBERS[len(film.digits)])


def ask_seconds(flash: Flash) -> Question:
    """For how many seconds a digit is shown."""
    text = say.SECONDS.format(digit=flash.digit)
    assert flash.seconds is not None
    lasting = say.NUMBERS[flash.seconds]
    return Question("reasoning", "seconds", text, lasting, asked=(flash.digit,))


def ask_more(film: Film, by: int, rng: np.random.Generator) -> Question:
    """By how many shapes one colour exceeds another, in words."""
    more, fewer = choice(rng, differences([body.colour for body in film.bodies])[by])
    text = say.MORE.format(more=more, fewer=fewer)
    return Question("reasoning", "more", text, say.NUMBERS[by], asked=(more, fewer))


def every_question(film: Film, rng: np.random.Generator) -> list[Question]:
    """One or two of each family that this film has an answer to, drawn where there are several.

    Each shape is named by its colour, asked for its colour, or named by its place, and no two of
    these: within a conversation one question must not give away another's answer.
    """
    timed = [flash for flash in film.flashes if flash.moments]
    lasting = [flash for flash in film.flashes if flash.seconds]
    placed, coloured, lying = shuffled(rng, film.stayers)
    by = choice(rng, sorted(differences([body.colour for body in film.bodies])))
    return [
        *(ask_digit(film, family) for family in ("first", "second", "last")),
        *(ask_at(film, flash, choice(rng, flash.moments)) for flash in _one(timed, rng)),
        ask_camera(film),
        ask_where(placed),
        ask_heading(film.mover),
        ask_colour_of(coloured),
        ask_colour_of(film.mover),
        ask_colour_at(lying),
        ask_speed(film.mover),
        ask_count(film),
        *(ask_seconds(flash) for flash in _one(lasting, rng)),
        ask_more(film, by, rng),
    ]


def without_rare(questions: Sequence[Question], rng: np.random.Generator) -> list[Question]:
    """The questions that a training video asks: `RARE` families of one film in four."""
    return [q for q in questions if q.family not in RARE or rng.random() < RARE_SHARE]


def dealt_questions(film: Film, focus: Focus, rng: np.random.Generator) -> list[Question]:
    """The benchmark's questions of one film, one per category, with the dealt answers."""
    return [
        _ASKED[dealt.family](film, dealt.answer, rng)
        for dealt in (getattr(focus, category) for category in FAMILIES)
    ]


def _at_digit(film: Film, answer: str, rng: np.random.Generator) -> Question:
    flash = film.flashes[film.digits.index(answer)]
    return ask_at(film, flash, choice(rng, flash.moments))


def _stayer(film: Film, rng: np.random.Generator, **of: str) -> Body:
    fits = [b for b in film.stayers if all(getattr(b, key) == of[key] for key in of)]
    return choice(rng, fits)


def _lasting(film: Film, answer: str, rng: np.random.Generator) -> Flash:
    wanted = say.NUMBERS.index(answer)
    return choice(rng, [flash for flash in film.flashes if flash.seconds == wanted])


# Family -> the question of it that has a given answer.
_ASKED: dict[str, Callable[[Film, str, np.random.Generator], Question]] = {
    "first": lambda film, _answer, _rng: ask_digit(film, "first"),
    "second": lambda film, _answer, _rng: ask_digit(film, "second"),
    "last": lambda film, _answer, _rng: ask_digit(film, "last"),
    "at": _at_digit,
    "camera": lambda film, _answer, _rng: ask_camera(film),
    "where": lambda film, answer, rng: ask_where(_stayer(film, rng, place=answer)),
    "heading": lambda film, _answer, _rng: ask_heading(film.mover),
    "colour_of": lambda film, answer, rng: ask_colour_of(_stayer(film, rng, colour=answer)),
    "colour_at": lambda film, answer, rng: ask_colour_at(_stayer(film, rng, colour=answer)),
    "speed": lambda film, _answer, _rng: ask_speed(film.mover),
    "count": lambda film, _answer, _rng: ask_count(film),
    "seconds": lambda film, answer, rng: ask_seconds(_lasting(film, answer, rng)),
    "more": lambda film, answer, rng: ask_more(film, say.NUMBERS.index(answer), rng),
}


def _of_digits(
    film: Film, family: str, text: str, answer: str, asked: tuple[str, ...] = ()
) -> Question:
    rivals = tuple(digit for digit in film.digits if digit != answer)
    return Question("temporal_ocr", family, text, answer, rivals, asked)


def _one(flashes: Sequence[Flash], rng: np.random.Generator) -> list[Flash]:
    return [choice(rng, flashes)] if flashes else []
