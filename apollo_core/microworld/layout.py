"""Where things are on the screen, in pixels of a 48-pixel frame.

A body at the middle of each side, digits in the middle, and the corners free. At four tokens a
frame each body falls into two of them, and each token holds halves of two.
"""

from __future__ import annotations

FRAME = 48
SIDE = 12  # of a shape
BOX = SIDE + 2  # with its outline
PLATE = (18, 14)  # rows, columns of the board that a digit stands on
DIGIT = (14, 10)  # a font of seven by five, twice

Corner = tuple[float, float]

_MIDDLE, _FAR = (FRAME - BOX) / 2, float(FRAME - BOX)
_CORNERS: dict[str, Corner] = {
    "left": (_MIDDLE, 0.0),
    "right": (_MIDDLE, _FAR),
    "top": (0.0, _MIDDLE),
    "bottom": (_FAR, _MIDDLE),
}


def corner_of(place: str) -> Corner:
    """Row and column of the top left corner of the box of a body at a side of the screen."""
    return _CORNERS[place]


def scaled(length: float, size: int) -> int:
    """A length of a 48-pixel frame in a frame of `size` pixels."""
    return round(length * size / FRAME)
