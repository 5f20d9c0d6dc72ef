"""Where the mover is at a moment: constant speed along one line of the screen, round and round.

All lengths are in pixels of a 48-pixel frame, all times in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from apollo_core.microworld.language import DIRECTIONS, HEADINGS
from apollo_core.microworld.layout import BOX, FRAME, corner_of
from apollo_core.microworld.scene import Body, Mover

# It leaves the screen whole before it comes back on the other side.
TRACK = FRAME + BOX

# Half a second apart, as at two frames a second, these are 2, 4.5, 9 and 15 pixels: every one is
# less than half the track, so a fixed time step tells speed and heading.
PIXELS_PER_SECOND = {"slow": 4.0, "steady": 9.0, "quick": 18.0, "fast": 30.0}

# (down, right)
_WAYS = ((0, -1), (0, 1), (-1, 0), (1, 0))
STEPS = {
    **dict(zip(HEADINGS, _WAYS, strict=True)),
    **dict(zip(DIRECTIONS, (*_WAYS, (0, 0)), strict=True)),
}


Moments = NDArray[np.float64]


def mover_corners(mover: Mover, moments: Moments) -> NDArray[np.float64]:
    """Row and column of the top left corner of the mover's box, negative where it comes in.

    Args:
        mover: which.
        moments: shape (n,).

    Returns:
        Shape (n, 2).
    """
    down, right = STEPS[mover.heading]
    passed = mover.start + (down + right) * PIXELS_PER_SECOND[mover.speed] * moments
    along = passed % TRACK - BOX
    across = np.full_like(along, mover.lane)
    return np.stack((along, across) if down else (across, along), axis=-1)


def visible_shares(mover: Mover, stayers: Iterable[Body], moments: Moments) -> Moments:
    """Share of the mover's box that is on screen and not behind a stayer, at each moment."""
    corners = mover_corners(mover, moments)
    shown = _overlap(corners, np.zeros(2), np.full(2, float(FRAME)))
    for stayer in stayers:
        corner = np.array(corner_of(stayer.place))
        shown = shown - _overlap(corners, corner, corner + BOX)
    return shown / BOX**2


def _overlap(corners: Moments, low: Moments, high: Moments) -> Moments:
    """Pixels that boxes at `corners` share with the rectangle from `low` to `high`."""
    sides = np.minimum(corners + BOX, high) - np.maximum(corners, low)
    return np.clip(sides, 0, None).prod(axis=-1)
