"""Where a picture of any shape lies in a square frame: whole, in the middle, grey around it.

The study's released code pads likewise (`expand2square`, `pad_to_center_square`), with the mean of
the encoder that looks; cutting out the centre square would hide 44 % of a 16:9 picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Frames are shared by encoders, and no one value is the mean of all. Theirs (ImageNet's, CLIP's,
# 0.5) are 0.41 to 0.50 of the range; this is 0.502.
GREY = 128


class Letterbox(NamedTuple):
    """A picture's place in a square frame, in pixels."""

    width: int
    height: int
    top: int
    left: int


def letterbox(width: int, height: int, size: int) -> Letterbox:
    """The place of a `width` x `height` picture: long side `size`, short side in proportion.

    The short side is rounded (halves up) and at least 1. Of an odd rest, the pixel over goes to the
    bottom or the right.
    """
    long = max(width, height)
    across, down = (max(1, (2 * side * size + long) // (2 * long)) for side in (width, height))
    return Letterbox(across, down, top=(size - down) // 2, left=(size - across) // 2)


def pad(frames: np.ndarray, place: Letterbox, size: int) -> np.ndarray:
    """Pictures, already resized, in their place; as they are where they fill the frame.

    uint8 RGB, shape (n, place.height, place.width, 3) to (n, size, size, 3).
    """
    if frames.shape[1:3] == (size, size):
        return frames
    whole = np.full((len(frames), size, size, 3), GREY, np.uint8)
    down = slice(place.top, place.top + place.height)
    across = slice(place.left, place.left + place.width)
    whole[:, down, across] = frames
    return whole
