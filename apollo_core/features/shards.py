"""A folder of shards that several processes read and fill at the same time.

Nothing is locked: each process appends to files of its own (`shard_writer`) and reads those of all.
Two that compute the same entry at once may both keep it; they are equal, and either is read.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from apollo_core.features.shard_index import ENTRY_BYTES, Entry, entries
from apollo_core.features.shard_writer import DATA, INDEX, ShardWriter


@dataclass
class _Shard:
    """A shard as far as it is known here: its index up to `read` bytes, its data mapped."""

    path: Path
    read: int = 0
    mapped: mmap.mmap | None = None


_Place = tuple[_Shard, Entry]


class Shards:
    """Entries by name. Threads may share it.

    Args:
        folder: is made if it is not there.

    Raises:
        OSError: the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._shards: dict[str, _Shard] = {}
        self._found: dict[bytes, list[_Place]] = {}
        self._writer = ShardWriter(folder)
        self._lock = Lock()
        with self._lock:
            self._look()

    def get(self, name: bytes) -> np.ndarray | None:
        """The bytes of an entry, uint8, read-only, in a mapped file; None where they are not there
        whole. A damaged entry is forgotten, so that `put` can keep it anew."""
        while True:
            with self._lock:
                if name not in self._found:
                    self._look()
                if name not in self._found:
                    return None
                place = self._found[name][-1]
                raw = self._mapped(*place)
            if raw is not None and zlib.crc32(raw.data) == place[1].checksum:
                return raw
            with self._lock:
                self._forget(name, place)

    def put(self, name: bytes, pieces: Sequence[bytes]) -> int:
        """Keep an entry unless it is known to be there; the bytes that were added.

        Raises:
            OSError: it cannot be written.
        """
        with self._lock:
            if name in self._found:
                return 0
            index, entry = self._writer.append(name, pieces)
            shard = self._shards.setdefault(index, _Shard(self._folder / index))
            self._found[name] = [(shard, entry)]
            shard.read += ENTRY_BYTES
        return sum(map(len, pieces))

    def close(self) -> None:
        """Let go of all files. What `get` has handed out stays readable."""
        with self._lock:
            self._writer.close()
            self._shards.clear()
            self._found.clear()

    def _look(self) -> None:
        """Take in what has been added to the indices since the last look."""
        try:
            sizes = {
                each.name: each.stat().st_size
                for each in os.scandir(self._folder)
                if each.name.endswith(INDEX)
            }
        except OSError:
            return  # removed under our hands: nothing more is found
        for name, size in sizes.items():
            shard = self._shards.setdefault(name, _Shard(self._folder / name))
            if size > shard.read:
                for entry in entries(self._added(shard)):
                    self._found.setdefault(entry.name, []).append((shard, entry))

    def _forget(self, name: bytes, place: _Place) -> None:
        places = [each for each in self._found.get(name, []) if each is not place]
        if places:
            self._found[name] = places
        else:
            self._found.pop(name, None)

    def _added(self, shard: _Shard) -> bytes:
        try:
            with shard.path.open("rb") as file:
                file.seek(shard.read)
                raw = file.read()
        except OSError:
            return b""
        whole = len(raw) - len(raw) % ENTRY_BYTES
        shard.read += whole
        return raw[:whole]

    def _mapped(self, shard: _Shard, entry: Entry) -> np.ndarray | None:
        end = entry.begin + entry.length
        try:
            if shard.mapped is None or len(shard.mapped) < end:
                with shard.path.with_suffix(DATA).open("rb") as file:
                    shard.mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            # Of the file and not of the map, each time: to touch a page behind the end of a file
            # ends the process.
            if shard.mapped.size() < end or len(shard.mapped) < end:
                return None
        except (OSError, ValueError):
            return None
        return np.frombuffer(shard.mapped, np.uint8, entry.length, entry.begin)
