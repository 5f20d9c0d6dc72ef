"""How much of a training step goes by waiting for data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Waited:
    """Time since the last lap, and how much of it went by waiting for the next of an iterable."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._waited = 0.0

    def each(self, source: Iterable[T]) -> Iterator[T]:
        """The same items."""
        coming = iter(source)
        while True:
            asked = time.perf_counter()
            try:
                item = next(coming)
            except StopIteration:
                return
            finally:
                self._waited += time.perf_counter() - asked
            yield item

    def lap(self) -> dict[str, float]:
        """`seconds` and `data_seconds` since the last one."""
        now = time.perf_counter()
        told = {"seconds": now - self._began, "data_seconds": self._waited}
        self._began, self._waited = now, 0.0
        return told
