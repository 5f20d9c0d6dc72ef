"""The piece of a video that an encoder gets at once. Planning reads this too, so no numpy here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Clip:
    """What an encoder gets in one piece.

    `start`, `end`: the span that the clip stands for, seconds, inside the video.
    `frames`: indices into the video's timestamps, in order; one may repeat.
    `times`: the moment asked for each frame, seconds. On a video shorter than one clip the last
    ones lie after the end, where the last frame stays on screen.
    """

    start: float
    end: float
    frames: tuple[int, ...]
    times: tuple[float, ...]
