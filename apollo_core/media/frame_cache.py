"""Decoded frames kept in memory, so that a warm worker decodes each small video once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock

from apollo_core.media.frames import ClipFrames
from apollo_core.media.media_file import look

Key = tuple[str, int, int, Hashable]


def file_key(path: str | Path, *asked: Hashable) -> Key:
    """Cache key of what is `asked` of a file: its path, modification time (ns), size on disk.

    Raises:
        DecodeFailed: the file is missing, empty or not ours to read.
    """
    stat = look(path)
    return str(path), stat.st_mtime_ns, stat.st_size, asked


class FrameCache:
    """Least recently used frames are dropped first, so that all together stay in `max_bytes`.

    Entries are read-only arrays, shared by everybody who asks. One larger than the whole cache is
    handed on and not kept. Threads may share it; two
    that ask for the same at once may both make it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0
        self._lock = Lock()
        self._entries: OrderedDict[Key, ClipFrames] = OrderedDict()

    def get(self, key: Key, make: Callable[[], ClipFrames]) -> ClipFrames:
        """The entry of `key`, made by `make` the first time. Errors of `make` are not kept."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                self.hits += 1
                return self._entries[key]
        made = make()
        with self._lock:
            if made.pixels.nbytes <= self.max_bytes and key not in self._entries:
                self._entries[key] = made
                self.bytes += made.pixels.nbytes
                self._shrink()
        return made

    def __len__(self) -> int:
        return len(self._entries)

    def _shrink(self) -> None:
        while self.bytes > self.max_bytes:
            _, dropped = self._entries.popitem(last=False)
            self.bytes -= dropped.pixels.nbytes
