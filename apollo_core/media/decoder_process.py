"""The process that decodes video, started by `apollo_core.media.decoding` and killed when it hangs.

Run as `python -m apollo_core.media.decoder_process DEADLINE_S DECODER`. It reads requests from
stdin and answers on stdout; a message is a JSON header and raw bytes, so nothing is ever unpickled:

    {"do": "open", "path"}             -> {"duration"}                   + float64 frame starts, s
    {"do": "read", "indices", "size"}  -> {"shape": [n, size, size, 3], "picture": [width, height]}
                                                                         + uint8 pixels, RGB
    {"do": "headers", "path"}          -> what `media.headers.read_headers` returns
    (nothing: once, at the start)      -> {"ready": true}
    whatever cannot be done            -> {"error": reason in words}

`read` is about the video opened last. The process loads numpy and the decoder's own libraries only
(torch for TorchCodec alone), so that it starts in a fraction of a second and a crash in native code
costs nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from apollo_core.media.truncation import missing_bytes
from apollo_core.media.video_file import open_with

if TYPE_CHECKING:
    from apollo_core.media.video_file import DecoderName, VideoFile

FRAME = struct.Struct("<IQ")  # bytes of the header, bytes of the body
# An orphan stuck in native code holds its core for ever unless something outside Python ends it.
ORPHAN_GRACE_S = 5


def encode(header: dict[str, Any], body: bytes | memoryview = b"") -> list[bytes | memoryview]:
    """The pieces of one message, to be written in order."""
    text = json.dumps(header).encode()
    return [FRAME.pack(len(text), len(body)), text, body]


def plain_reason(error: Exception) -> str:
    """Why a file cannot be read, in words: decoders say so themselves by a plain `ValueError`."""
    if type(error) is ValueError:
        return str(error)
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"is damaged: {said[0][-200:] if said else type(error).__name__}"


class Server:
    """Answers requests one after the other; a file asked for again (its middle frame) stays open.

    Args:
        open_video: the decoder.
    """

    def __init__(self, open_video: Callable[[str], VideoFile]) -> None:
        self._open_video = open_video
        self.video: VideoFile | None = None
        self._of: tuple[object, ...] = ()

    def answer(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        """The reply to one request; whatever fails becomes an `error` reply."""
        try:
            if request["do"] == "headers":
                return self._headers(request)
            return self._open(request) if request["do"] == "open" else self._read(request)
        except Exception as error:  # errors of native libraries derive from nothing narrower
            return encode({"error": plain_reason(error)})

    def _open(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        path: str = request["path"]
        found = Path(path).stat()
        of = path, found.st_ino, found.st_size, found.st_mtime_ns
        if self.video is None or of != self._of:
            self._close()
            _refuse_truncated(path)
            self.video, self._of = self._open_video(path), of
        starts, duration = self.video.times()
        return encode({"duration": duration}, starts.tobytes())

    def _close(self) -> None:
        if self.video is not None:
            self.video.close()
            self.video = None

    def _headers(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        # Imported here: whoever only decodes, by another decoder, needs no PyAV.
        from apollo_core.media.headers import read_headers

        _refuse_truncated(request["path"])
        return encode(read_headers(request["path"]))

    def _read(self, request: dict[str, Any]) -> list[bytes | memoryview]:
        if self.video is None:
            raise ValueError("no video is open")
        try:
            pixels, picture = self.video.read(request["indices"], request["size"])
        except BaseException:
            self._close()  # its decoder may be in any state now
            raise
        return encode({"shape": list(pixels.shape), "picture": picture}, pixels.data.cast("B"))


def _refuse_truncated(path: str) -> None:
    gone = missing_bytes(path)
    if gone:
        raise ValueError(f"is truncated: at least {gone} bytes are missing at the end")


def serve(
    requests: BinaryIO,
    replies: BinaryIO,
    *,
    deadline_s: float,
    open_video: Callable[[str], VideoFile],
) -> None:
    """Answer until stdin closes."""
    server = Server(open_video)
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
    deadline_s, decoder = float(sys.argv[1]), cast("DecoderName", sys.argv[2])
    try:
        open_video = open_with(decoder)  # now, so that the first request does not wait for it
        replies.writelines(encode({"ready": True}))
        replies.flush()
        serve(sys.stdin.buffer, replies, deadline_s=deadline_s, open_video=open_video)
    except BrokenPipeError:  # the parent is gone
        os._exit(1)


if __name__ == "__main__":
    main()
