"""What is on screen: bodies that stay, one that moves, digits that come and go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    """A coloured shape at the middle of one side of the screen."""

    colour: str
    shape: str
    place: str


@dataclass(frozen=True)
class Mover:
    """A coloured shape that moves at a constant speed, behind the bodies that stay.

    Attributes:
        heading: which way.
        speed: how fast, a word of `SPEEDS`.
        lane: top of its box where it moves sideways, left of it else; pixels of a 48-pixel frame.
        start: how far along its track it is at the beginning; likewise.
    """

    colour: str
    shape: str
    heading: str
    speed: str
    lane: float
    start: float


@dataclass(frozen=True)
class Flash:
    """A digit on screen in frames `begin` to `end`, the latter excluded.

    Attributes:
        seconds: how many it is shown, where they are whole; None where it is less than one.
        moments: whole seconds that lie well inside.
    """

    digit: str
    begin: int
    end: int
    seconds: int | None
    moments: tuple[int, ...]
