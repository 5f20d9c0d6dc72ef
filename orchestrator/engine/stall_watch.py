"""End a process whose stage hangs, wherever it hangs.

The watch is a thread of C (`faulthandler`) which needs no interpreter lock: it fires in a process
that is stuck in native code too, writes the stack of every thread to a file, and ends the process.
Who starts the next attempt finds the file (`orchestrator.store.cause_of_death`).
"""

from __future__ import annotations

import faulthandler
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# Winding the watch up costs a thread, and a stage may report a thousand steps a second.
_SELDOM = 1.0


@contextmanager
def stall_watch(minutes: float, stack: Path, *, end: bool = True) -> Iterator[Callable[[], None]]:
    """End this process if the yielded function is not called for as long as `minutes`.

    Args:
        minutes: how long; 0 = never.
        stack: where the stack goes; there is no file unless the process hangs.
        end: whether the process ends, too; else it only tells its stack.
    """
    if not minutes:
        yield lambda: None
        return
    seconds = 60 * minutes
    seldom = min(_SELDOM, seconds / 10)
    wound = time.monotonic()
    with stack.open("w") as file:

        def wind() -> None:
            nonlocal wound
            wound = time.monotonic()
            faulthandler.cancel_dump_traceback_later()
            if os.fstat(file.fileno()).st_size:  # it was slow and told its stack, but has gone on
                file.seek(0)
                file.truncate()
            faulthandler.dump_traceback_later(seconds, exit=end, file=file)

        def alive() -> None:
            if time.monotonic() - wound > seldom:
                wind()

        wind()
        try:
            yield alive
        finally:
            faulthandler.cancel_dump_traceback_later()
    stack.unlink(missing_ok=True)
