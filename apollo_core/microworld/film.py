"""What happens in one video: a plan with every answer in it, before any pixel.

One shape moves from one side of the screen to another, one stays; one to four digits appear in the
middle, one after the other; the ground scrolls under them as the camera moves. Shapes and digits
keep to the screen, not to the ground.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from apollo_core.microworld.chance import Purpose, Split, choice, deal, shuffled, stream
from apollo_core.microworld.language import COLOURS, DIGITS, DIRECTIONS, MOMENTS, PLACES, SHAPES

ROLES = ("mover", "stayer")
COUNTS = (1, 2, 3, 4)
# A digit shorter than this per slot could fall between two sampled frames at 2 fps.
SECONDS_PER_DIGIT = 1.25


@dataclass(frozen=True)
class Body:
    """A coloured shape and the sides of the screen where it starts and ends."""

    colour: str
    shape: str
    start: str
    end: str


@dataclass(frozen=True)
class Flash:
    """A digit on screen in frames `begin` to `end`, the latter excluded."""

    digit: str
    begin: int
    end: int


@dataclass(frozen=True)
class Film:
    """One video's plan. `texture` seeds the ground; the mover goes in frames `travel`."""

    frames: int
    fps: int
    camera: str
    mover: Body
    stayer: Body
    flashes: tuple[Flash, ...]
    travel: tuple[int, int]
    texture: tuple[int, ...]

    @property
    def digits(self) -> tuple[str, ...]:
        """The digits in order of appearance; all different."""
        return tuple(flash.digit for flash in self.flashes)


@dataclass(frozen=True)
class Focus:
    """The question of each category that this film is dealt, and the answer it must have.

    Answers are dealt first and films made to fit, so a benchmark's answers are balanced exactly.
    """

    camera: str
    moment: str
    role: str
    place: str
    perceived: Literal["colour", "shape"]
    percept: str
    reasoned: Literal["count", "colour"]
    count: int
    mover_colour: str | None
    ocr_rank: int | None
    ocr_moment: str
    ocr_digit: str


_SPATIAL = tuple((m, r, p) for m in MOMENTS for r in ROLES for p in PLACES)
_PERCEPTION: tuple[tuple[Literal["colour", "shape"], str], ...] = (
    *(("colour", c) for c in COLOURS for _ in range(2)),
    *(("shape", s) for s in SHAPES for _ in range(3)),
)
_REASONING: tuple[tuple[Literal["count", "colour"], int, str | None], ...] = (
    *(("count", n, None) for n in COUNTS for _ in COLOURS),
    *(("colour", n, colour) for n in COUNTS for colour in COLOURS),
)
_OCR = tuple((m, d) for m in MOMENTS for d in DIGITS)


def _ocr_rank(seed: int, split: Split, index: int) -> int | None:
    """How many films before this one show two digits or more; None where this one does not."""

    def several(i: int) -> bool:
        return deal(_REASONING, i, seed, split, Purpose.REASONING)[1] > 1

    if not several(index):
        return None
    decks, place = divmod(index, len(_REASONING))
    per_deck = sum(card[1] > 1 for card in _REASONING)
    return decks * per_deck + sum(several(index - place + i) for i in range(place))


def deal_focus(seed: int, split: Split, index: int) -> Focus:
    """Deal film `index` its questions and answers, each category from its own decks."""
    moment, role, place = deal(_SPATIAL, index, seed, split, Purpose.SPATIAL)
    perceived, percept = deal(_PERCEPTION, index, seed, split, Purpose.PERCEPTION)
    reasoned, count, mover_colour = deal(_REASONING, index, seed, split, Purpose.REASONING)
    rank = _ocr_rank(seed, split, index)
    ocr_moment, ocr_digit = deal(_OCR, rank or 0, seed, split, Purpose.OCR)
    return Focus(
        camera=deal(DIRECTIONS, index, seed, split, Purpose.CAMERA),
        moment=moment,
        role=role,
        place=place,
        perceived=perceived,
        percept=percept,
        reasoned=reasoned,
        count=count,
        mover_colour=mover_colour,
        ocr_rank=rank,
        ocr_moment=ocr_moment,
        ocr_digit=ocr_digit,
    )


def _colours(focus: Focus, rng: np.random.Generator) -> tuple[str, str]:
    """Colours of mover and stayer that fit the focus."""
    mover, stayer = shuffled(rng, COLOURS)[:2]
    wanted = focus.percept if focus.perceived == "colour" else None
    if focus.mover_colour is not None:
        mover = focus.mover_colour
        rest = [c for c in COLOURS if c != mover]
        return mover, wanted if wanted in rest else choice(rng, rest)
    if wanted is not None:
        other = choice(rng, [c for c in COLOURS if c != wanted])
        return (wanted, other) if rng.integers(2) else (other, wanted)
    return mover, stayer


def _bodies(focus: Focus, rng: np.random.Generator) -> tuple[Body, Body]:
    shapes = shuffled(rng, SHAPES)
    if focus.perceived == "shape":
        shapes = [focus.percept, *(s for s in shapes if s != focus.percept)]
    sides = shuffled(rng, [p for p in PLACES if p != focus.place])
    slot = 2 if focus.role == "stayer" else MOMENTS.index(focus.moment)
    sides.insert(slot, focus.place)
    mover_colour, stayer_colour = _colours(focus, rng)
    return (
        Body(mover_colour, shapes[0], start=sides[0], end=sides[1]),
        Body(stayer_colour, shapes[1], start=sides[2], end=sides[2]),
    )


def _digits(focus: Focus, rng: np.random.Generator) -> list[str]:
    if focus.ocr_rank is None:
        return shuffled(rng, DIGITS)[: focus.count]
    rest = shuffled(rng, [d for d in DIGITS if d != focus.ocr_digit])[: focus.count - 1]
    return [focus.ocr_digit, *rest] if focus.ocr_moment == "start" else [*rest, focus.ocr_digit]


def _flashes(
    digits: list[str], frames: int, fps: int, rng: np.random.Generator
) -> tuple[Flash, ...]:
    """Show each digit for one to two seconds inside its own slot, with a gap before the next."""
    slot = frames // len(digits)
    longest = max(1, min(2 * fps, slot - 2))
    shortest = min(fps, longest)
    flashes = []
    for i, digit in enumerate(digits):
        shown = int(rng.integers(shortest, longest + 1))
        begin = i * slot + int(rng.integers(1, max(2, slot - shown)))
        flashes.append(Flash(digit, begin, begin + shown))
    return tuple(flashes)


def plan_film(
    seed: int, split: Split, index: int, *, fps: int, min_seconds: float, max_seconds: float
) -> tuple[Film, Focus]:
    """Plan film `index` of `split`: the same for the same arguments, whatever else is planned."""
    rng = stream(seed, split, Purpose.PLOT, index)
    focus = deal_focus(seed, split, index)
    shortest = min(max(min_seconds, SECONDS_PER_DIGIT * focus.count), max_seconds)
    frames = round(fps * float(rng.uniform(shortest, max_seconds)))
    mover, stayer = _bodies(focus, rng)
    film = Film(
        frames=frames,
        fps=fps,
        camera=focus.camera,
        mover=mover,
        stayer=stayer,
        flashes=_flashes(_digits(focus, rng), frames, fps, rng),
        travel=(round(0.15 * frames), round(0.8 * frames)),
        texture=(seed, split, Purpose.TEXTURE, index),
    )
    return film, focus
