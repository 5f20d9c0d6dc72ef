"""When each digit of a film is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from apollo_core.microworld.chance import choice
from apollo_core.microworld.focus import SECONDS
from apollo_core.microworld.language import NUMBERS
from apollo_core.microworld.scene import Flash

# A digit is shown for whole seconds, or briefly: long enough that one of two frames a second meets
# it, too short for one frame a second to be sure of.
BRIEF = (0.5, 0.9)
# A moment that is asked for lies this far, in seconds, from where its digit comes and goes.
MARGIN = 0.4


def lay_out(
    digits: Sequence[str],
    wanted: Sequence[int | None],
    *,
    frames: int,
    fps: int,
    rng: np.random.Generator,
) -> tuple[Flash, ...]:
    """Show digits one after the other, at least a frame apart, at random moments of the film.

    Args:
        digits: in order.
        wanted: whole seconds that each must be shown; None leaves it to chance.
        frames: of the film.
        fps: its frames per second.
        rng: the source of chance.
    """
    lengths = _lengths(wanted, frames, fps, rng)
    free = frames - sum(lengths) - (len(lengths) + 1)
    cuts = np.sort(rng.integers(0, free + 1, size=len(lengths)))
    flashes = []
    shown = 0
    for i, (digit, (cut, length)) in enumerate(
        zip(digits, zip(cuts, lengths, strict=True), strict=True)
    ):
        begin = int(cut) + shown + i + 1
        shown += length
        flashes.append(_flash(digit, begin, begin + length, fps))
    return tuple(flashes)


def _lengths(
    wanted: Sequence[int | None], frames: int, fps: int, rng: np.random.Generator
) -> list[int]:
    """Frames that each digit is shown: what is wanted, else by chance as far as there is room."""
    brief = math.ceil(BRIEF[0] * fps)
    lengths = [brief if seconds is None else seconds * fps for seconds in wanted]
    free = frames - sum(lengths) - (len(lengths) + 1)
    for i in rng.permutation(len(wanted)):
        if wanted[i] is None:
            more = _by_chance(fps, rng) - brief
            if more <= free:
                lengths[i] += more
                free -= more
    return lengths


def _by_chance(fps: int, rng: np.random.Generator) -> int:
    if rng.integers(2):
        return NUMBERS.index(choice(rng, SECONDS)) * fps
    return math.ceil(float(rng.uniform(*BRIEF)) * fps)


def _flash(digit: str, begin: int, end: int, fps: int) -> Flash:
    whole, rest = divmod(end - begin, fps)
    first = math.ceil(begin / fps + MARGIN)
    last = math.floor(end / fps - MARGIN)
    return Flash(
        digit,
        begin,
        end,
        seconds=whole if whole and not rest else None,
        moments=tuple(range(first, last + 1)),
    )
