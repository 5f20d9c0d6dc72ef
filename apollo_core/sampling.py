"""Which frames of a video a model sees: pure arithmetic on timestamps, no decoder.

Two rules hold everywhere.

The frame of a moment `t` is the one on screen at `t`: the last frame that starts at or before it
(a frame that starts within `CLOCK_STEP` after `t` counts as started). Frames are found by their
own timestamps, never by an index times an average rate, so variable frame rates come out exact.

Moments are asked at the middle of their slots. A span of `s` seconds read at `n` moments is cut
into `n` equal slots; moment `i` is `(i + 1/2) s / n`. Nothing is asked at the very edges, where a
rounding error would choose the neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from apollo_core.clip import Clip
from apollo_core.design import FpsSampling, Sampling, UniformSampling
from apollo_core.errors import BadInput

# Matroska keeps time in whole milliseconds and decord answers in float32, so a frame meant for
# 0.1 s may be listed at 0.1004 s; video frames themselves are at least 4 ms apart (240 fps).
CLOCK_STEP = 1e-3

# Start of each frame, in seconds.
Timestamps = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class Sampled:
    """How one video was really read, so that an fps arm never turns uniform unseen.

    A stage writes one line of `sampling.jsonl` for each video that it showed, in the order shown:
    `json.dumps(sampled.row(sample=..., medium=...))`, sample = the conversation's or item's id,
    medium = the path as the manifest has it. What is shown again is written again only where it
    was read otherwise; stills have no line.

    mode: `fps` or `uniform` as asked.
    fps: the rate asked inside a clip, frames per second; None under `uniform`.
    realised_fps: the rate that the frames shown really have (`realised`).
    clips: how many.
    cut: whether the budget held fewer clips than cover the video, so that gaps lie between them.
    first, last: the first and the last moment asked, seconds, inside the video.
    duration: of the video, seconds.
    """

    mode: str
    fps: float | None
    realised_fps: float
    clips: int
    cut: bool
    first: float
    last: float
    duration: float

    def row(self, *, sample: str, medium: str) -> dict[str, str | float | int | bool | None]:
        """One line of `sampling.jsonl`; seconds and rates to six digits."""
        rounded = {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }
        return {"sample": sample, "medium": medium, **rounded}


def sample(timestamps: Timestamps, duration: float, sampling: Sampling) -> tuple[Clip, ...]:
    """Choose the frames of one video, in clips of `sampling.frames_per_clip`.

    fps: `n = min(covering_clips(...), max_clips)` clips of `length` seconds, with
    `step = 1 / fps` and `length = frames_per_clip * step`, spread evenly from the start to the end
    of the video. They touch when the video is a whole number of clips, overlap when it is not, and
    leave gaps of equal length when `max_clips` is short. The rate inside a clip is `fps` always: a
    slower source, or a video shorter than a clip, repeats the frame on screen. A rest of at most
    half a step earns no clip.

    uniform: `frames` moments over the whole video, `(i + 1/2) duration / frames`, cut into clips.

    Args:
        timestamps: start of each frame in seconds, ascending, first >= 0.
        duration: end of the last frame in seconds.
        sampling: how.

    Raises:
        BadInput: there are no frames, they are out of order, or they start after `duration`.
    """
    starts = _checked(timestamps, duration)
    if isinstance(sampling, FpsSampling):
        return _fps_clips(starts, duration, sampling)
    return _uniform_clips(starts, duration, sampling)


def center_frame(
    timestamps: Timestamps, duration: float, *, frames_per_clip: int
) -> tuple[Clip, ...]:
    """One clip that holds the frame on screen at half time, repeated `frames_per_clip` times."""
    starts = _checked(timestamps, duration)
    middle = duration / 2
    times = (middle,) * frames_per_clip
    return (Clip(middle, middle, _on_screen(starts, times), times),)


def image_clip(frames_per_clip: int) -> Clip:
    """An image as a clip: frame 0 repeated, at time 0, no length."""
    return Clip(0.0, 0.0, (0,) * frames_per_clip, (0.0,) * frames_per_clip)


def realised(clips: Sequence[Clip], timestamps: Timestamps) -> float:
    """The rate in frames per second that the chosen frames really have.

    Steps between different neighbouring frames of a clip over the time that they span, summed over
    clips; over the whole sequence when no clip holds two different frames; 0.0 for a still.
    Differs from the asked rate where the source was slower or the video shorter than a clip.
    """
    rate = _rate([clip.frames for clip in clips], timestamps)
    return rate or _rate([[frame for clip in clips for frame in clip.frames]], timestamps)


def record(clips: Sequence[Clip], sampling: Sampling, *, duration: float, rate: float) -> Sampled:
    """What `sample` chose of one video, for the stage's record.

    Args:
        clips, sampling, duration: result and arguments of `sample`; duration in seconds.
        rate: `realised` of the clips, frames per second.
    """
    asked = sampling if isinstance(sampling, FpsSampling) else None
    return Sampled(
        mode=sampling.mode,
        fps=asked.fps if asked else None,
        realised_fps=rate,
        clips=len(clips),
        cut=asked is not None and covering_clips(duration, asked) > asked.max_clips,
        first=min(clips[0].times[0], duration),
        last=min(clips[-1].times[-1], duration),
        duration=duration,
    )


def covering_clips(duration: float, sampling: FpsSampling) -> int:
    """Clips that cover a video of `duration` seconds, whatever the budget: at least one.

    `ceil((duration - step / 2) / length)`: without the half step, 8.04 s (one frame too many) would
    get a clip that mostly repeats.
    """
    step = 1.0 / sampling.fps
    return max(1, math.ceil((duration - step / 2) / (sampling.frames_per_clip * step)))


def _rate(groups: Sequence[Sequence[int]], timestamps: Timestamps) -> float:
    steps, seconds = 0, 0.0
    for frames in groups:
        steps += sum(a != b for a, b in pairwise(frames))
        seconds += float(timestamps[frames[-1]]) - float(timestamps[frames[0]])
    return steps / seconds if seconds > 0 else 0.0


def _fps_clips(starts: np.ndarray, duration: float, sampling: FpsSampling) -> tuple[Clip, ...]:
    length = sampling.frames_per_clip * (1.0 / sampling.fps)
    count = min(covering_clips(duration, sampling), sampling.max_clips)
    return tuple(
        _clip(starts, begin, length, sampling.frames_per_clip, duration)
        for begin in _clip_starts(count, duration - length)
    )


def _clip_starts(count: int, last: float) -> list[float]:
    """Starts of `count` clips from 0 to `last`; a single one in the middle; never negative."""
    if last <= 0:
        return [0.0]
    if count == 1:
        return [last / 2]
    return [last * i / (count - 1) for i in range(count)]


def _uniform_clips(
    starts: np.ndarray, duration: float, sampling: UniformSampling
) -> tuple[Clip, ...]:
    count = sampling.frames // sampling.frames_per_clip
    length = duration / count
    return tuple(
        _clip(starts, i * length, length, sampling.frames_per_clip, duration) for i in range(count)
    )


def _clip(starts: np.ndarray, begin: float, length: float, frames: int, duration: float) -> Clip:
    times = tuple(begin + (i + 0.5) * length / frames for i in range(frames))
    return Clip(begin, min(begin + length, duration), _on_screen(starts, times), times)


def _on_screen(starts: np.ndarray, times: Sequence[float]) -> tuple[int, ...]:
    """Index of the frame on screen at each moment (the module's first rule)."""
    after = np.searchsorted(starts, np.asarray(times) + CLOCK_STEP, side="right")
    return tuple(int(i) for i in np.clip(after - 1, 0, len(starts) - 1))


def _checked(timestamps: Timestamps, duration: float) -> np.ndarray:
    starts = np.asarray(timestamps, dtype=np.float64)
    if starts.ndim != 1 or len(starts) == 0:
        raise BadInput(f"timestamps: one ascending list of seconds is needed, got {starts.shape}")
    if not np.all(np.isfinite(starts)) or starts[0] < 0 or np.any(np.diff(starts) < 0):
        raise BadInput("timestamps: frame starts must be finite, ascending and not negative")
    if not math.isfinite(duration) or duration < starts[-1]:
        raise BadInput(
            f"duration: {duration} s ends before the last frame starts ({starts[-1]} s); "
            "give the end of the last frame"
        )
    return starts
