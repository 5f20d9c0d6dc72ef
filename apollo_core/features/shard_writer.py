"""Append entries to shards of this process's own, so that nobody has to wait for anybody."""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path

from apollo_core.features.shard_index import ENTRY_BYTES, Entry, entry_bytes

# A shard that has grown to this size is followed by another.
SHARD_BYTES = 2**30

DATA, INDEX = ".data", ".index"


class ShardWriter:
    """A shard is a file of data and its index, both written by one process only.

    The bytes come first, then their entry: who reads an entry finds its bytes, and where a power
    cut has kept the entry and lost the bytes, the checksum tells.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = -1
        self._index = -1
        self._name = ""
        self._end = 0
        self._entries = 0

    def append(self, name: bytes, pieces: Sequence[bytes]) -> tuple[str, Entry]:
        """Add an entry; the name of the index that it is in now, and what stands there.

        Raises:
            OSError: it could not be written; the shard is as it was.
        """
        if self._data < 0 or self._end >= SHARD_BYTES:
            self._begin()
        checksum = 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        length = sum(map(len, pieces))
        entry = Entry(name, self._end, length, checksum)
        try:
            _write(self._data, *pieces)
            _write(self._index, entry_bytes(entry))
        except OSError:
            self._take_back()
            raise
        self._end += length
        self._entries += 1
        return f"{self._name}{INDEX}", entry

    def close(self) -> None:
        """Close the shard; a later `append` begins another."""
        for handle in (self._data, self._index):
            if handle >= 0:
                os.close(handle)
        self._data = self._index = -1

    def _begin(self) -> None:
        self.close()
        self._end = self._entries = 0
        name = self._name = f"{socket.gethostname()}-{os.getpid()}-{os.urandom(6).hex()}"
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._data = os.open(self._folder / f"{name}{DATA}", flags, 0o644)
        self._index = os.open(self._folder / f"{name}{INDEX}", flags, 0o644)

    def _take_back(self) -> None:
        """Remove what a failed write has left: a full disk needs the room."""
        for handle, end in ((self._data, self._end), (self._index, self._entries * ENTRY_BYTES)):
            try:
                os.ftruncate(handle, end)
            except OSError:
                continue  # unread all the same: its entry is not whole, or its checksum is wrong


def _write(handle: int, *pieces: bytes) -> None:
    """All of them in one call as a rule; none is copied."""
    left = [memoryview(piece) for piece in pieces if piece]
    while left:
        written = os.writev(handle, left)
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]
