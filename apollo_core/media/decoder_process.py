"""The process that decodes video, started by `apollo_core.media.decoding` and killed when it hangs.

Run as `python -m apollo_core.media.decoder_process DEADLINE_S`. It reads requests from stdin and
answers on stdout; a message is a JSON header and raw bytes, so nothing is ever unpickled:

    {"do": "open", "path"}             -> {"frames": n, "duration", "picture": [width, height]}
                                                                         + n float64 frame starts, s
    {"do": "read", "indices", "size"}  -> {"shape": [n, size, size, 3]}  + uint8 pixels, RGB
    (nothing: once, at the start)      -> {"ready": true}
    whatever cannot be done            -> {"error": reason in words}

`read` is about the video opened last. The process loads numpy and decord only: no torch, so that
it starts in a fraction of a second and a crash in native code costs nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from apollo_core.media.letterbox import letterbox, pad
from apollo_core.media.truncation import missing_bytes

if TYPE_CHECKING:
    from decord import VideoReader

FRAME = struct.Struct("<IQ")  # bytes of the header, bytes of the body
NO_VIDEO_STREAM = "has no video stream (audio only?)"
# An orphan stuck in native code holds its core for ever unless something outside Python ends it.
ORPHAN_GRACE_S = 5


def encode(header: dict[str, Any], body: bytes | memoryview = b"") -> list[bytes | memoryview]:
    """The pieces of one message, to be written in order."""
    text = json.dumps(header).encode()
    return [FRAME.pack(len(text), len(body)), text, body]


class OpenVideo:
    """One video held open between the request for its timestamps and the one for its frames."""

    def __init__(self, path: str) -> None:
        gone = missing_bytes(path)
        if gone:
            raise ValueError(f"is truncated: at least {gone} bytes are missing at the end")
        self.path = path
        self.reader = _reader(path, width=-1, height=-1)
        first = self.reader[0]
        self.height, self.width = int(first.shape[0]), int(first.shape[1])

    def times(self) -> tuple[np.ndarray, float]:
        """Start of each frame and the end of the last, seconds, the first frame being at 0."""
        spans = self.reader.get_frame_timestamp(np.arange(len(self.reader))).astype(np.float64)
        starts = np.sort(spans[:, 0]) - spans[:, 0].min()
        end = float(spans[-1, 1] - spans[:, 0].min())
        if end <= starts[-1]:  # the container gives the last frame no duration
            end = float(starts[-1] + (np.median(np.diff(starts)) if len(starts) > 1 else 0.0))
        return starts, end

    def read(self, indices: Sequence[int], size: int) -> np.ndarray:
        """Frames `indices` (ascending), long side resized to `size`, padded with grey."""
        place = letterbox(self.width, self.height, size)
        same = (place.width, place.height) == (self.width, self.height)
        reader = self.reader if same else _reader(self.path, width=place.width, height=place.height)
        return np.ascontiguousarray(pad(_frames(reader, indices), place, size))


def _reader(path: str, *, width: int, height: int) -> VideoReader:
    from decord import VideoReader, cpu

    # A reader that repeats good frames in place of more than 5 % broken ones must fail instead.
    tolerance = 0.05
    return VideoReader(
        path,
        ctx=cpu(0),
        width=width,
        height=height,
        num_threads=1,
        fault_tol=tolerance,  # pyright: ignore[reportArgumentType] - a share or a count
    )


def _frames(reader: VideoReader, indices: Sequence[int]) -> np.ndarray:
    """RGB frames, shape (n, height, width, 3).

    decord 3.4 takes (bytes per row) // width for the number of channels. Rows are padded to a
    multiple of 64 pixels, so at widths such as 32, 48, 96 and 144 it answers with 4 or more
    "channels" (the row as it lies in memory, padding at its end), and its batch call fails.
    """
    first = reader[indices[0]].asnumpy()
    height, width, channels = first.shape
    if channels == 3:
        if len(indices) == 1:
            return first[None]
        return np.concatenate([first[None], reader.get_batch(list(indices[1:])).asnumpy()])
    rows = np.stack([first, *(reader[i].asnumpy() for i in indices[1:])])
    rows = rows.reshape(len(indices), height, width * channels)[:, :, : width * 3]
    return rows.reshape(len(indices), height, width, 3)


def plain_reason(error: BaseException) -> str:
    """What a decord error means, in words."""
    text = str(error)
    if "cannot find video stream" in text:
        return NO_VIDEO_STREAM
    if isinstance(error, ValueError):
        return text
    if "Error reading" in text:
        return "is not a video that FFmpeg can open (damaged, truncated or another kind of file)"
    if "duration/frame-count" in text:
        return "is a still image or has no countable frames"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return f"is damaged: {lines[0][-200:]}"


class Server:
    """Answers requests one after the other."""

    def __init__(self) -> None:
        self.video: OpenVideo | None = None

    def answer(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        """The reply to one request; whatever fails becomes an `error` reply."""
        try:
            return self._open(request) if request["do"] == "open" else self._read(request)
        except Exception as error:  # decord's errors derive from nothing narrower
            return encode({"error": plain_reason(error)})

    def _open(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        self.video = None
        self.video = OpenVideo(request["path"])
        starts, duration = self.video.times()
        header = {
            "frames": len(starts),
            "duration": duration,
            "picture": [self.video.width, self.video.height],
        }
        return encode(header, starts.tobytes())

    def _read(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        if self.video is None:
            raise ValueError("no video is open")
        pixels = self.video.read(request["indices"], request["size"])
        return encode({"shape": list(pixels.shape)}, pixels.data.cast("B"))


def serve(requests: BinaryIO, replies: BinaryIO, *, deadline_s: float) -> None:
    """Answer until stdin closes."""
    server = Server()
    while head := requests.read(FRAME.size):
        text_bytes, _ = FRAME.unpack(head)
        request = json.loads(requests.read(text_bytes))
        # The kernel's alarm ends this process even in native code, even without a parent.
        signal.setitimer(signal.ITIMER_REAL, deadline_s + ORPHAN_GRACE_S)
        replies.writelines(server.answer(request))
        replies.flush()
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    """Serve on stdin and stdout; native libraries that print are sent to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    import decord  # noqa: F401 - now, so that the first request does not wait for it

    try:
        replies.writelines(encode({"ready": True}))
        replies.flush()
        serve(sys.stdin.buffer, replies, deadline_s=float(sys.argv[1]))
    except BrokenPipeError:  # the parent is gone
        os._exit(1)


if __name__ == "__main__":
    main()
