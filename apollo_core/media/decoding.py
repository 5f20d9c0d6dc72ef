"""Read video in a process of its own that is killed at a deadline.

FFmpeg can loop for ever in native code on a file whose header lies, and ignores every signal but
SIGKILL there. So a decoder runs in a child (`media.decoder_process`): one child per `Decoder`,
long-lived, started at the first request and again after each death.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from apollo_core.design import Sampling
from apollo_core.errors import DecodeFailed, StageFailed
from apollo_core.media.decoder_child import DeadError, DecoderChild, LateError, Reply
from apollo_core.media.frame_cache import FrameCache, file_key
from apollo_core.media.frames import ClipFrames, clip_frames
from apollo_core.media.images import read_image_clip
from apollo_core.media.media_file import look
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName, Frames
from apollo_core.sampling import center_frame, realised, sample

DEADLINE_S = 20.0

T = TypeVar("T")


class _Opened(NamedTuple):
    """Start of each frame and end of the last, seconds."""

    starts: np.ndarray
    duration: float


class Decoder:
    """Decodes videos and images; a hang or a crash costs one file, never the caller.

    Args:
        deadline_s: seconds that opening a video, and reading its frames, may take each.
        decoder: of videos; images are Pillow's.
        cache: where clips are kept between calls, if anywhere.

    Use as a context manager, or `close()` it. Threads may share one; they take turns. A forked
    process may not: both would read from one pipe, and each get the other's frames.
    """

    def __init__(
        self,
        *,
        deadline_s: float = DEADLINE_S,
        cache: FrameCache | None = None,
        decoder: DecoderName = DEFAULT_DECODER,
    ) -> None:
        self.deadline_s = deadline_s
        self.decoder: DecoderName = decoder
        self._cache = cache
        self._child: DecoderChild | None = None
        self._lock = Lock()
        self._owner = os.getpid()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child; a later request starts another."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            self._end_child()

    @property
    def child_pid(self) -> int | None:
        """The process that decodes now; None before the first request and after a death."""
        return None if self._child is None else self._child.pid

    def timestamps(self, path: str | Path) -> tuple[np.ndarray, float]:
        """Start of each frame (float64, seconds, the first at 0) and the end of the last.

        Raises:
            DecodeFailed: missing, empty, truncated, no video stream, no video, no answer in time.
        """
        return self._attempt(path, lambda: self._open(path))

    def headers(self, path: str | Path) -> dict[str, Any]:
        """What a video's header and packets say of it (`media.headers.read_headers`).

        Raises:
            DecodeFailed: as `timestamps`.
        """
        return self._attempt(path, lambda: self._look(path))

    def read(self, path: str | Path, indices: Sequence[int], *, size: int) -> np.ndarray:
        """Frames by index (any order, repeats allowed), uint8 RGB, (len(indices), size, size, 3).

        The whole picture: its long side is resized to `size` and the rest filled with grey. Two
        encoders of different sizes: read at the larger, resize with `pixels.resize`.

        Raises:
            DecodeFailed: as `timestamps`; or an index beyond the last frame.
        """
        distinct = sorted(set(indices))

        def work() -> np.ndarray:
            starts = self._open(path).starts
            if distinct and not 0 <= distinct[0] <= distinct[-1] < len(starts):
                raise DecodeFailed(path, f"has {len(starts)} frames, asked for {distinct}")
            return self._pixels(path, distinct, size).pixels

        pixels = self._attempt(path, work)
        return pixels[np.searchsorted(distinct, np.asarray(indices, dtype=np.int64))]

    def read_clips(
        self,
        path: str | Path,
        sampling: Sampling,
        *,
        size: int,
        center_only: bool = False,
    ) -> ClipFrames:
        """A video's clips as sampled; with `center_only` its middle frame as one clip.

        Raises:
            DecodeFailed: as `timestamps`.
        """
        if self._cache is None:
            return self._decode(path, sampling, size, center_only=center_only)
        asked = sampling.model_dump_json(), size, center_only, self.decoder
        key = file_key(path, "video", *asked)
        return self._cache.get(
            key, lambda: self._decode(path, sampling, size, center_only=center_only)
        )

    def read_image(self, path: str | Path, *, frames_per_clip: int, size: int) -> ClipFrames:
        """An image as one clip of a repeated frame. Raises `DecodeFailed`."""
        if self._cache is None:
            return read_image_clip(path, frames_per_clip=frames_per_clip, size=size)
        key = file_key(path, "image", frames_per_clip, size)
        return self._cache.get(
            key,
            lambda: read_image_clip(path, frames_per_clip=frames_per_clip, size=size),
        )

    def _decode(
        self, path: str | Path, sampling: Sampling, size: int, *, center_only: bool
    ) -> ClipFrames:
        def work() -> ClipFrames:
            starts, duration = self._open(path)
            if center_only:
                clips = center_frame(starts, duration, frames_per_clip=sampling.frames_per_clip)
            else:
                clips = sample(starts, duration, sampling)
            distinct = sorted({frame for clip in clips for frame in clip.frames})
            pixels, picture = self._pixels(path, distinct, size)
            rate = realised(clips, starts)
            return clip_frames(
                distinct, pixels, clips, duration=duration, rate=rate, picture=picture
            )

        return self._attempt(path, work)

    def _attempt(self, path: str | Path, work: Callable[[], T]) -> T:
        """Do `work`; once more in a new child if the child died, which may be no fault of the file.

        (The kernel's memory killer, say.) A missed deadline is not tried again.
        """
        if os.getpid() != self._owner:
            raise StageFailed("a Decoder was taken along into a forked process; make one there")
        with self._lock:
            try:
                return work()
            except DeadError:
                pass
            try:
                return work()
            except DeadError as error:
                raise DecodeFailed(path, f"the decoder died on it, twice ({error})") from None

    def _look(self, path: str | Path) -> dict[str, Any]:
        look(path)
        return self._ask(self._started(), path, {"do": "headers", "path": str(path)}).header

    def _started(self) -> DecoderChild:
        if self._child is None or not self._child.alive:
            self._end_child()
            self._child = DecoderChild(self.decoder, deadline_s=self.deadline_s)
        return self._child

    def _open(self, path: str | Path) -> _Opened:
        look(path)
        reply = self._ask(self._started(), path, {"do": "open", "path": str(path)})
        starts = np.frombuffer(reply.body, dtype=np.float64)
        return _Opened(starts, float(reply.header["duration"]))

    def _pixels(self, path: str | Path, distinct: Sequence[int], size: int) -> Frames:
        # A child that died since `_open` must not be replaced here: the new one has no video open.
        if self._child is None:
            raise DeadError("between two requests")
        if not distinct:
            return Frames(np.zeros((0, size, size, 3), np.uint8), (0, 0))
        request = {"do": "read", "indices": [int(i) for i in distinct], "size": size}
        reply = self._ask(self._child, path, request)
        width, height = reply.header["picture"]
        pixels = np.frombuffer(reply.body, dtype=np.uint8).reshape(reply.header["shape"])
        return Frames(pixels, (int(width), int(height)))

    def _ask(self, child: DecoderChild, path: str | Path, request: dict[str, Any]) -> Reply:
        """One request and its answer; the child is ended whenever it cannot be trusted again."""
        try:
            reply = child.ask(request, deadline_s=self.deadline_s)
        except LateError:
            self._end_child()
            raise DecodeFailed(
                path, f"no answer within {self.deadline_s:g} s; the decoder was ended"
            ) from None
        except (DeadError, OSError):
            raise DeadError(self._end_child()) from None
        except BaseException:  # e.g. Ctrl-C between the halves of an answer
            self._end_child()
            raise
        if "error" in reply.header:
            raise DecodeFailed(path, reply.header["error"])
        return reply

    def _end_child(self) -> str:
        """End the child if there is one; how it ended."""
        child, self._child = self._child, None
        return "" if child is None else child.end()
