"""A child process that runs a job: started, listened to, and ended whatever happens."""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import psutil

from orchestrator.engine.ray.job import STOP_WITHIN, Job

# A loaded machine takes a minute to start Ray; a Ray that hangs never answers.
_CONNECTED_WITHIN = 240.0
# After the last stage only processes are left to end.
_END_WITHIN = 20.0


class Child:
    """The driver of one cluster, for the time of a `with` block.

    Args:
        job: what it is to do.
        log: where its stderr goes.
    """

    def __init__(self, job: Job, log: Path) -> None:
        self._log = log
        self._connected = False
        self._finished = False
        self._words = ""
        self._family: set[psutil.Process] = set()
        with log.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.engine.ray.driver"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=_environment(),
                # Ctrl-C is for us: the child is told, and ends in good order.
                process_group=0,
            )
        self._stdin = cast(BinaryIO, self._process.stdin)
        self._stdout = cast(BinaryIO, self._process.stdout)
        self._job = pickle.dumps(job)

    def __enter__(self) -> Self:
        return self

    def messages(self) -> Iterator[tuple[Any, ...]]:
        """What the child tells, until it has finished or ended."""
        try:
            self._stdin.write(self._job)
            self._stdin.flush()
            if not select.select([self._stdout], [], [], _CONNECTED_WITHIN)[0]:
                return
            while True:
                message: tuple[Any, ...] = pickle.load(self._stdout)
                if message[0] == "finished":
                    self._finished = True
                    return
                if message[0] == "connected":  # before it can be killed, and they be nobody's
                    self._connected = True
                    self._family |= _family(self._process.pid)
                yield message
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            return

    def last_words(self) -> str:
        """The last line of its log, once it has ended."""
        return self._words

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        until = time.monotonic() + self._patience()
        try:
            if not self._finished:
                self._close_stdin()
            while self._process.poll() is None:
                self._family |= _family(self._process.pid)
                if time.monotonic() >= until:
                    break
                time.sleep(0.05)
        finally:
            # Whether it hangs, or somebody pressed Ctrl-C twice.
            self._process.kill()
            self._process.wait()
            # Ray's agents outlive a Ray that ends young, looking for its head for a minute.
            for process in self._family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._close_stdin()
            self._stdout.close()
            self._words = _last_line(self._log)

    def _patience(self) -> float:
        """Seconds that the child has to end by itself."""
        if self._finished:
            return _END_WITHIN
        # Before it is connected there are no workers, and a Ray that starts listens to nobody.
        return STOP_WITHIN + 3 if self._connected else 0.0

    def _close_stdin(self) -> None:
        try:
            self._stdin.close()
        except BrokenPipeError:
            return


def _family(pid: int) -> set[psutil.Process]:
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return set()


def _environment() -> dict[str, str]:
    # Ours may have been found by what the caller added to the path; workers inherit it.
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return "it left no word"
    told = [line.strip() for line in lines if line.strip()]
    return told[-1][:300] if told else "it left no word"
