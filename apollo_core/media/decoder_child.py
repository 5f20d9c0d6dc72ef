"""The decoding process as its parent sees it: started, asked, and ended for good.

A plain subprocess and not `multiprocessing`: a daemonic worker may not have children, and nothing
is pickled.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from apollo_core.errors import StageFailed
from apollo_core.media.decoder_process import FRAME, encode
from apollo_core.media.ffmpeg_libraries import library_path
from apollo_core.media.video_file import PACKAGES, DecoderName

START_S = 60.0  # numpy and FFmpeg (TorchCodec: torch) from a cold network disk
PIPE_BYTES = 2**20  # Linux' usual bound; frames come in fewer pieces
PACKAGE_ROOT = Path(__file__).resolve().parents[2]


class LateError(Exception):
    """The child did not answer in time."""


class DeadError(Exception):
    """The child ended in the middle of an answer; says how."""


@dataclass(frozen=True)
class Reply:
    """A message: its header, and its body, of which it is the only owner."""

    header: dict[str, Any]
    body: bytearray


class DecoderChild:
    """A decoding process that is ready: no file pays for its start.

    Raises:
        StageFailed: it does not start.
    """

    def __init__(self, decoder: DecoderName, *, deadline_s: float) -> None:
        with TemporaryDirectory(prefix="apollo-decoder-") as folder:
            self._process = _spawn(decoder, deadline_s, libraries=Path(folder))
            try:
                _answer(self._stdout, until=time.monotonic() + START_S)
            except BaseException as error:
                self._process.kill()
                self._process.communicate()
                if isinstance(error, LateError | DeadError):
                    raise StageFailed(_no_start(decoder, self._process.returncode)) from None
                raise

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], *, deadline_s: float) -> Reply:
        """One request and its answer.

        Raises:
            LateError, DeadError, OSError: none came; the child cannot be trusted again.
        """
        until = time.monotonic() + deadline_s
        cast(IO[bytes], self._process.stdin).write(b"".join(encode(request)))
        return _answer(self._stdout, until=until)

    def end(self) -> str:
        """Kill it, if it does not end by itself now; how it ended, in words."""
        cast(IO[bytes], self._process.stdin).close()  # a child that is well ends by itself now
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.05)
        code = self._process.poll()
        self._process.kill()
        self._process.wait()
        self._stdout.close()
        return _how(code)

    @property
    def _stdout(self) -> IO[bytes]:
        return cast(IO[bytes], self._process.stdout)


def _spawn(decoder: DecoderName, deadline_s: float, *, libraries: Path) -> subprocess.Popen[bytes]:
    """`-P` and PYTHONPATH: our package is found, no stranger's, whatever the working directory."""
    paths = [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]
    child = subprocess.Popen(
        [
            *(sys.executable, "-P", "-m", "apollo_core.media.decoder_process"),
            *(str(deadline_s), decoder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
        | (library_path(libraries) if decoder == "torchcodec" else {}),
    )
    with contextlib.suppress(OSError):  # the user's pipes may take no more memory
        fcntl.fcntl(cast(IO[bytes], child.stdout), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return child


def _answer(stdout: IO[bytes], *, until: float) -> Reply:
    head = _receive(stdout, FRAME.size, until=until)
    text_bytes, body_bytes = FRAME.unpack(head)
    header = json.loads(_receive(stdout, text_bytes, until=until))
    return Reply(header, _receive(stdout, body_bytes, until=until))


def _receive(pipe: IO[bytes], count: int, *, until: float) -> bytearray:
    """Exactly `count` bytes before the moment `until` (monotonic clock)."""
    received = bytearray(count)
    view, got = memoryview(received), 0
    poll = select.poll()
    poll.register(pipe, select.POLLIN | select.POLLHUP)
    while got < count:
        left_ms = (until - time.monotonic()) * 1000
        if left_ms <= 0 or not poll.poll(left_ms):
            raise LateError
        read = os.readv(pipe.fileno(), [view[got:]])
        if read == 0:
            raise DeadError
        got += read
    return received


def _no_start(decoder: DecoderName, code: int | None) -> str:
    module, package = PACKAGES[decoder]
    return (
        f"the decoder process of data.decoder={decoder!r} did not start ({_how(code)}); "
        f"see whether `python -c 'import {module}'` works; `pip install {package!r}` brings it"
    )


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"
