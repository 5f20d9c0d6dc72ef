"""What is kept in memory, bounded in bytes: the least recently used goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ByteCache(Generic[K, V]):
    """Entries of `max_bytes` together at most, shared by everybody who asks.

    One larger than the whole cache is handed on and not kept. Threads may share it; two that ask
    for the same at once may both make it.

    Args:
        max_bytes: the bound.
        size: bytes of an entry.
    """

    def __init__(self, max_bytes: int, size: Callable[[V], int]) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0
        self._size = size
        self._lock = Lock()
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The entry of `key`, made by `make` the first time. Errors of `make` are not kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                self.hits += 1
                return self._entries[key]
        made = make()
        with self._lock:
            if self._size(made) <= self.max_bytes and key not in self._entries:
                self._entries[key] = made
                self.bytes += self._size(made)
                self._shrink()
        return made

    def __len__(self) -> int:
        return len(self._entries)

    def _shrink(self) -> None:
        while self.bytes > self.max_bytes:
            _, dropped = self._entries.popitem(last=False)
            self.bytes -= self._size(dropped)
