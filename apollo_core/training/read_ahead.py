"""Go through an iterator in a thread, a few items ahead of whoever takes them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class _Item(Generic[T]):
    value: T


@dataclass(frozen=True)
class _End:
    error: BaseException | None


def read_ahead(source: Generator[T, None, None], depth: int) -> Generator[T, None, None]:
    """The same items in the same order; `depth` of them wait ready, one more is being made.

    An error of `source` comes where its item would have. Closing waits until the thread has
    finished the item under way and has closed `source`.
    """
    coming: Queue[_Item[T] | _End] = Queue(depth)
    stopped = Event()

    def go_through() -> None:
        error: BaseException | None = None
        try:
            with closing(source):
                for value in source:
                    coming.put(_Item(value))
                    if stopped.is_set():
                        return
        except BaseException as raised:
            error = raised
        coming.put(_End(error))

    thread = Thread(target=go_through, name="reading ahead", daemon=True)
    thread.start()
    try:
        while isinstance(item := coming.get(), _Item):
            yield item.value
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        while thread.is_alive():
            _discard(coming)
            thread.join(0.02)


def _discard(coming: Queue[_Item[T] | _End]) -> None:
    """Make room, so that a thread which waits to put something goes on."""
    try:
        while True:
            coming.get_nowait()
    except Empty:
        pass
