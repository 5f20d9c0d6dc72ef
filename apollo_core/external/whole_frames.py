"""What an external model is shown: our sampler's frames, in the picture's own proportions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from apollo_core.media.frames import ClipFrames
from apollo_core.media.letterbox import letterbox
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.media.remote_media import read_medium
from apollo_core.sampling import record


@dataclass(frozen=True)
class Seen(Shown):
    """One video's frames, without the padding that encoders of ours share.

    Attributes:
        frames: uint8, (frames, 1, height, width, 3): clips of one frame.
        times: the moment of each place, seconds. It keeps its place where frames are shuffled.
        duration: of the video, seconds; 0 for its middle frame.
    """

    times: tuple[float, ...] = ()
    duration: float = 0.0


@dataclass(frozen=True)
class WholeFrameReader(MediaReader):
    """Reads videos for models with processors of their own.

    `size` is the long side at which frames are decoded; `sampling` has clips of one frame.
    """

    def video(self, path: str) -> Seen:
        """A video, sampled. Raises `DecodeFailed`."""
        read = self._decoded(
            path, lambda file: self.decoder.read_clips(file, self.sampling, size=self.size)
        )
        sampled = record(read.clips, self.sampling, duration=read.duration, rate=read.rate)
        return Seen(
            frames=without_padding(read),
            written=("",),
            rate=read.rate,
            counts=(len(read.clips),),
            still=(False,),
            sampled=(sampled,),
            times=tuple(time for clip in read.clips for time in clip.times),
            duration=read.duration,
        )

    def center_frame(self, path: str) -> Seen:
        """A video's middle frame. Raises `DecodeFailed`."""
        read = self._decoded(
            path,
            lambda file: self.decoder.read_clips(
                file, self.sampling, size=self.size, center_only=True
            ),
        )
        frames = without_padding(read)
        return Seen(frames, ("",), rate=0.0, counts=(1,), still=(True,), sampled=(None,))

    def _decoded(self, path: str, decode: Callable[[Path], ClipFrames]) -> ClipFrames:
        return read_medium(self.root, path, decode)


def without_padding(read: ClipFrames) -> np.ndarray:
    """All clips' frames without the grey around them; (clips, frames, height, width, 3)."""
    frames = read.stacked()
    place = letterbox(*read.picture, frames.shape[2])
    down = slice(place.top, place.top + place.height)
    across = slice(place.left, place.left + place.width)
    return np.ascontiguousarray(frames[:, :, down, across])
