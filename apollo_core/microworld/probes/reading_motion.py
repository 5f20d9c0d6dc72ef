"""Camera and mover: which motions explain how things lie in one frame and in another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from apollo_core.microworld.film import SCROLL
from apollo_core.microworld.language import DIRECTIONS, HEADINGS, SPEEDS
from apollo_core.microworld.looks import GROUND
from apollo_core.microworld.motion import PIXELS_PER_SECOND, STEPS, TRACK
from apollo_core.microworld.probes.sights import Moments, Sight

Votes = Counter[str]

# Things are drawn to the pixel, and a frame is on screen up to an eighth of a second before the
# moment that is asked for.
_TOLERANCE = 1.5
_LATE = 1 / 8
_SCROLLS = np.arange(SCROLL[0], SCROLL[1] + 0.1, 0.5)


def vote_camera(sight: Sight) -> Votes:
    """Every direction that, at some speed, brings the ground where each frame shows it."""
    votes: Votes = Counter()
    for timing in _orders(sight):
        fits = [way for way in DIRECTIONS if _camera_fits(way, timing, sight.scrolled)]
        votes.update({way: 60 // len(fits) for way in fits})
    return votes


def _camera_fits(way: str, timing: Moments, scrolled: NDArray[np.float64]) -> bool:
    passed = (timing - timing[0])[:, None]
    step = np.array(STEPS[way], dtype=np.float64)
    for speed in _SCROLLS:
        gone = scrolled - scrolled[0] - speed * passed * step
        if (_apart(gone, GROUND) <= _TOLERANCE + speed * _LATE).all():
            return True
    return False


def vote_heading(sight: Sight) -> Votes:
    """Every heading that, at one of the speeds, explains where the mover is seen."""
    return _vote_motion(sight, by_heading=True)


def vote_speed(sight: Sight) -> Votes:
    """Every speed that, in one of the headings, explains where the mover is seen."""
    return _vote_motion(sight, by_heading=False)


def _vote_motion(sight: Sight, *, by_heading: bool) -> Votes:
    votes: Votes = Counter()
    corners = sight.corners[sight.seen]
    for timing in _orders(sight):
        fits = {
            heading if by_heading else speed
            for heading in HEADINGS
            for speed in SPEEDS
            if _mover_fits(heading, speed, timing[sight.seen], corners)
        }
        votes.update({word: 60 // len(fits) for word in fits})
    return votes


def _mover_fits(heading: str, speed: str, timing: Moments, corners: NDArray[np.float64]) -> bool:
    if len(corners) < 2:
        return True
    pixels = PIXELS_PER_SECOND[speed]
    passed = (timing - timing[0])[:, None]
    gone = corners - corners[0] - pixels * passed * np.array(STEPS[heading], dtype=np.float64)
    return bool((_apart(gone, TRACK) <= _TOLERANCE + pixels * _LATE).all())


def _apart(lengths: NDArray[np.float64], period: float) -> NDArray[np.float64]:
    """How far from a whole number of periods, pixels."""
    return np.abs((lengths + period / 2) % period - period / 2)


def _orders(sight: Sight) -> Iterator[Moments]:
    """Each possible timing, and backwards too where no order is told."""
    for timing in sight.timings:
        yield timing
        if not sight.ordered:
            yield timing[::-1]
