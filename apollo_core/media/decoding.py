"""Read video through decord in a process of its own that is killed at a deadline.

decord (FFmpeg underneath) can loop for ever in native code on a file whose header lies, and ignores
every signal but SIGKILL there. So it runs in a child (`media.decoder_process`): one child per
`Decoder`, long-lived, started at the first request and again after each death. A plain subprocess
and not `multiprocessing`: a daemonic worker may not have children, and nothing is pickled.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import IO, Any, NamedTuple, TypeVar, cast

import numpy as np

from apollo_core.design import Sampling
from apollo_core.errors import DecodeFailed, StageFailed
from apollo_core.media.decoder_process import FRAME, encode
from apollo_core.media.frame_cache import FrameCache, file_key
from apollo_core.media.frames import ClipFrames, clip_frames
from apollo_core.media.images import read_image_clip
from apollo_core.media.media_file import look
from apollo_core.sampling import center_frame, realised, sample

DEADLINE_S = 20.0
START_S = 60.0  # numpy and decord from a cold network disk
PACKAGE_ROOT = Path(__file__).resolve().parent.parent

T = TypeVar("T")


class _LateError(Exception):
    """The child did not answer in time."""


class _DeadError(Exception):
    """The child ended in the middle of an answer; says how."""


@dataclass(frozen=True)
class _Reply:
    header: dict[str, Any]
    body: bytearray


class _Opened(NamedTuple):
    """Start of each frame and end of the last in seconds; width and height in pixels."""

    starts: np.ndarray
    duration: float
    picture: tuple[int, int]


class Decoder:
    """Decodes videos and images; a hang or a crash costs one file, never the caller.

    Args:
        deadline_s: seconds that opening a video, and reading its frames, may take each.
        cache: where clips are kept between calls, if anywhere.

    Use as a context manager, or `close()` it. Threads may share one; they take turns. A forked
    process may not: both would read from one pipe, and each get the other's frames.
    """

    def __init__(self, *, deadline_s: float = DEADLINE_S, cache: FrameCache | None = None) -> None:
        self.deadline_s = deadline_s
        self._cache = cache
        self._child: subprocess.Popen[bytes] | None = None
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
        opened = self._attempt(path, lambda: self._open(path))
        return opened.starts, opened.duration

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
            return self._pixels(path, distinct, size)

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
        key = file_key(path, "video", sampling.model_dump_json(), size, center_only)
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
            starts, duration, picture = self._open(path)
            if center_only:
                clips = center_frame(starts, duration, frames_per_clip=sampling.frames_per_clip)
            else:
                clips = sample(starts, duration, sampling)
            distinct = sorted({frame for clip in clips for frame in clip.frames})
            pixels = self._pixels(path, distinct, size)
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
            except _DeadError:
                pass
            try:
                return work()
            except _DeadError as error:
                raise DecodeFailed(path, f"the decoder died on it, twice ({error})") from None

    def _open(self, path: str | Path) -> _Opened:
        look(path)
        if self._child is None or self._child.poll() is not None:
            self._end_child()
            self._child = _start(self.deadline_s)
        reply = self._ask(self._child, path, {"do": "open", "path": str(path)})
        width, height = reply.header["picture"]
        starts = np.frombuffer(reply.body, dtype=np.float64)
        return _Opened(starts, float(reply.header["duration"]), (int(width), int(height)))

    def _pixels(self, path: str | Path, distinct: Sequence[int], size: int) -> np.ndarray:
        # A child that died since `_open` must not be replaced here: the new one has no video open.
        if self._child is None:
            raise _DeadError("between two requests")
        if not distinct:
            return np.zeros((0, size, size, 3), np.uint8)
        request = {"do": "read", "indices": [int(i) for i in distinct], "size": size}
        reply = self._ask(self._child, path, request)
        return np.frombuffer(reply.body, dtype=np.uint8).reshape(reply.header["shape"])

    def _ask(
        self, child: subprocess.Popen[bytes], path: str | Path, request: dict[str, Any]
    ) -> _Reply:
        """One request and its answer; the child is ended whenever it cannot be trusted again."""
        try:
            reply = _exchange(child, request, until=time.monotonic() + self.deadline_s)
        except _LateError:
            self._end_child()
            raise DecodeFailed(
                path, f"no answer within {self.deadline_s:g} s; the decoder was ended"
            ) from None
        except (_DeadError, OSError):
            raise _DeadError(_how(self._end_child())) from None
        except BaseException:  # e.g. Ctrl-C between the halves of an answer
            self._end_child()
            raise
        if "error" in reply.header:
            raise DecodeFailed(path, reply.header["error"])
        return reply

    def _end_child(self) -> int | None:
        """Kill the child if there is one; its exit code."""
        child, self._child = self._child, None
        if child is None:
            return None
        cast(IO[bytes], child.stdin).close()  # a child that is well ends by itself now
        code = _wait_briefly(child)
        child.kill()
        child.wait()
        cast(IO[bytes], child.stdout).close()
        return code


def _start(deadline_s: float) -> subprocess.Popen[bytes]:
    """Start the child and wait until it is ready, so that no file pays for the start.

    `-P` and PYTHONPATH: our package is found, and no stranger's, whatever the working directory.
    """
    paths = [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "apollo_core.media.decoder_process", str(deadline_s)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
    try:
        _answer(cast(IO[bytes], child.stdout), until=time.monotonic() + START_S)
    except BaseException as error:
        child.kill()
        child.communicate()
        if isinstance(error, _LateError | _DeadError):
            raise StageFailed(
                f"the decoder process did not start ({_how(child.returncode)}); "
                "see whether `python -c 'import decord'` works"
            ) from None
        raise
    return child


def _exchange(child: subprocess.Popen[bytes], request: dict[str, Any], *, until: float) -> _Reply:
    cast(IO[bytes], child.stdin).write(b"".join(encode(request)))
    return _answer(cast(IO[bytes], child.stdout), until=until)


def _answer(stdout: IO[bytes], *, until: float) -> _Reply:
    head = _receive(stdout, FRAME.size, until=until)
    text_bytes, body_bytes = FRAME.unpack(head)
    header = json.loads(_receive(stdout, text_bytes, until=until))
    return _Reply(header, _receive(stdout, body_bytes, until=until))


def _receive(pipe: IO[bytes], count: int, *, until: float) -> bytearray:
    """Exactly `count` bytes before the moment `until` (monotonic clock)."""
    received = bytearray(count)
    view, got = memoryview(received), 0
    poll = select.poll()
    poll.register(pipe, select.POLLIN | select.POLLHUP)
    while got < count:
        left_ms = (until - time.monotonic()) * 1000
        if left_ms <= 0 or not poll.poll(left_ms):
            raise _LateError
        read = os.readv(pipe.fileno(), [view[got:]])
        if read == 0:
            raise _DeadError
        got += read
    return received


def _wait_briefly(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(timeout=0.05)
    except subprocess.TimeoutExpired:
        return None


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
