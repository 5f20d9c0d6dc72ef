"""What reading media yields: the distinct frames, and how clips are put together from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apollo_core.clip import Clip


@dataclass(frozen=True)
class ClipFrames:
    """Frames of one video or image, each distinct one stored once.

    `pixels`: uint8 RGB, shape (distinct, size, size, 3), read-only.
    `rows`: shape (clips, frames_per_clip); which of `pixels` each place of a clip shows.
    `clips`: the spans and the moments asked, as sampled.
    `duration`: seconds; 0 for an image.
    `rate`: frames per second that were really had (`sampling.realised`); 0 for a still.
    `picture`: width and height of the file's pictures in pixels, by which the padding of `pixels`
    can be told (`media.letterbox`); (0, 0) where nobody has to know.
    """

    pixels: np.ndarray
    rows: np.ndarray
    clips: tuple[Clip, ...]
    duration: float
    rate: float
    picture: tuple[int, int] = (0, 0)

    def stacked(self) -> np.ndarray:
        """All clips, uint8, shape (clips, frames_per_clip, size, size, 3); a copy."""
        return self.pixels[self.rows]


def clip_frames(
    distinct: Sequence[int],
    pixels: np.ndarray,
    clips: tuple[Clip, ...],
    *,
    duration: float,
    rate: float,
    picture: tuple[int, int] = (0, 0),
) -> ClipFrames:
    """Put clips together from the frames with the indices `distinct` (ascending)."""
    pixels.setflags(write=False)  # entries of a cache are shared
    rows = np.searchsorted(np.asarray(distinct), np.array([clip.frames for clip in clips]))
    return ClipFrames(pixels, rows, clips, duration, rate, picture)
