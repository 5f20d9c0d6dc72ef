"""Notice at once that a Ray of our own has lost a process that it cannot be without.

Ray itself takes a minute or for ever. Without its `gcs_server` every call waits for another one to
come. The `raylet` goes away with each of its agents, by design; without it no worker ever starts
again, and all that was asked for is waited for.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

_LOOK_EVERY = 0.5
_VITAL = ("gcs_server", "raylet")
# Enough for a worker to give its lease back, which takes no Ray.
_LEAVE_WITHIN = 5.0
_PAUSE = 0.05


@contextlib.contextmanager
def watched(
    on_loss: Callable[[str], None], *, at_work: Callable[[], bool], stopping: threading.Event
) -> Iterator[None]:
    """End this process when the Ray that it started is beyond help.

    Args:
        on_loss: told what happened, for a person, before that; in another thread.
        at_work: whether any stage's lease is held.
        stopping: once it is set, Ray's processes end as they are meant to.
    """
    over = threading.Event()

    def is_meant() -> bool:
        return over.is_set() or stopping.is_set()

    def watch() -> None:
        while not over.wait(_LOOK_EVERY):
            lost = _lost()
            if lost and not is_meant():
                on_loss(f"its {lost} went away")
                _ask_workers_to_stop(at_work)
                # The main thread waits for an answer of Ray's that never comes.
                os._exit(1)

    thread = threading.Thread(target=watch, name="vital signs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(_LOOK_EVERY)


def _lost() -> str | None:
    from ray._private import worker

    node: Any = worker._global_node  # pyright: ignore[reportPrivateUsage]
    if node is None:
        return None
    return next((kind for kind, _ in node.dead_processes() if kind in _VITAL), None)


def _ask_workers_to_stop(at_work: Callable[[], bool]) -> None:
    """Those that are left: a lease that is given back costs its stage no attempt."""
    until = time.monotonic() + _LEAVE_WITHIN
    asked: list[psutil.Process] = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.name().startswith("ray::") or process.cmdline()[0].startswith("ray::"):
                process.terminate()
                asked.append(process)
    # Not for their ends: without its `gcs_server` a worker of Ray's comes to none.
    while at_work() and any(map(_runs, asked)) and time.monotonic() < until:
        time.sleep(_PAUSE)


def _runs(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):  # it is gone
        return process.status() != psutil.STATUS_ZOMBIE
    return False
