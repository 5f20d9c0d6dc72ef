"""What a reader is shown of a film: which frames, and what it knows of their times."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from apollo_core.design import Sampling
from apollo_core.microworld.film import Film
from apollo_core.microworld.motion import STEPS, mover_corners, visible_shares
from apollo_core.sampling import center_frame, sample

Moments = NDArray[np.float64]
_SAMPLING: TypeAdapter[Sampling] = TypeAdapter(Sampling)

# A shape is seen where at least this share of its box is.
SEEN = 0.5
# Films may last 4 to 16 seconds: a reader who is not told takes every length here for possible.
_LENGTHS = tuple(np.arange(4.0, 16.01, 0.25).tolist())


@dataclass(frozen=True)
class Sight:
    """Chosen frames of one film.

    Attributes:
        timings: each possible row of moments of the frames, seconds, shape (n,); the true one alone
            where the times are told.
        digits: what the middle of each frame shows; None for nothing.
        corners: row and column of the mover's box in each frame, shape (n, 2).
        seen: whether the mover is seen in it, shape (n,).
        scrolled: how far the ground has gone, (down, right) in pixels of a 48-pixel frame, shape
            (n, 2).
        ordered: whether it is known which frame comes after which.
    """

    timings: tuple[Moments, ...]
    digits: tuple[str | None, ...]
    corners: NDArray[np.float64]
    seen: NDArray[np.bool_]
    scrolled: NDArray[np.float64]
    ordered: bool


def look(film: Film, sampling: Sampling, *, times: bool, ordered: bool = True) -> Sight:
    """What `sampling` shows of a film.

    Args:
        film: the plan.
        sampling: how frames are chosen; the reader knows it.
        times: whether the clips' times are told. If not, every length that gives as many frames is
            possible.
        ordered: whether the frames' order is told.
    """
    frames, moments = _chosen(film.frames, film.fps, sampling)
    timings = (moments,) if times else _possible(sampling.model_dump_json(), len(moments))
    return _sight(film, frames, timings, ordered=ordered)


def look_once(film: Film) -> Sight:
    """The frame in the middle, as the regime `center_frame` shows it; its time is not told."""
    clip = center_frame(_starts(film.frames, film.fps), film.seconds, frames_per_clip=1)[0]
    return _sight(film, np.array(clip.frames), (np.array(clip.times),), ordered=True)


def _sight(
    film: Film, frames: NDArray[np.int64], timings: tuple[Moments, ...], *, ordered: bool
) -> Sight:
    on_screen = frames / film.fps
    step = np.array(STEPS[film.camera], dtype=np.float64)
    return Sight(
        timings=timings,
        digits=tuple(_digit(film, int(frame)) for frame in frames),
        corners=mover_corners(film.mover, on_screen),
        seen=visible_shares(film.mover, film.stayers, on_screen) >= SEEN,
        scrolled=film.scroll * on_screen[:, None] * step,
        ordered=ordered,
    )


def _digit(film: Film, frame: int) -> str | None:
    shown = (flash.digit for flash in film.flashes if flash.begin <= frame < flash.end)
    return next(shown, None)


def _starts(frames: int, fps: float) -> Moments:
    return np.arange(frames) / fps


def _chosen(frames: int, fps: float, sampling: Sampling) -> tuple[NDArray[np.int64], Moments]:
    clips = sample(_starts(frames, fps), frames / fps, sampling)
    return (
        np.array([frame for clip in clips for frame in clip.frames]),
        np.array(_flat(clip.times for clip in clips)),
    )


@lru_cache(maxsize=256)
def _possible(written: str, count: int) -> tuple[Moments, ...]:
    """The moments asked of films of every length, of those that are asked as many.

    `written`: the sampling as JSON, which can be looked up in a cache.
    """
    sampling = _SAMPLING.validate_json(written)
    found = (_chosen(round(seconds * 60), 60, sampling)[1] for seconds in _LENGTHS)
    return tuple(moments for moments in found if len(moments) == count)


def _flat(rows: Iterable[Iterable[float]]) -> list[float]:
    return [each for row in rows for each in row]
