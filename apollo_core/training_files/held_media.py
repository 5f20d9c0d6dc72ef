"""Media inside of shards and Parquet files: found by name, copied out when they are read.

A medium's name goes on behind its file's: `shards/000042.tar/17.mp4`. Decoders take paths, so it is
copied into this machine's scratch folder first; of a Parquet file, with all of its row group.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_right
from collections.abc import Mapping
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from apollo_core.errors import BadData, BadInput
from apollo_core.media.scratch_cache import ScratchCache, scratch_cache
from apollo_core.training_files.parquet_rows import group_sizes, rows_of_group
from apollo_core.training_files.tar_shards import find_member

_HOLDER = re.compile(r"\.(?:tar|parquet)/", re.IGNORECASE)
_PIECE = 1 << 20
# Row groups whose media are known by size, of a file.
_GROUPS = 16


class Held(NamedTuple):
    """A medium's name, taken apart."""

    holder: str
    member: str


def held(name: str) -> Held | None:
    """The file that a medium lies in, and its name there; None for a file of its own."""
    found = _HOLDER.search(name)
    if found is None:
        return None
    return Held(name[: found.end() - 1], name[found.end() :])


def held_size(holder: Path, member: str) -> int:
    """Bytes of a medium inside of a file.

    Raises:
        FileNotFoundError: it holds no such medium.
        BadData: it is damaged.
    """
    try:
        if holder.suffix.lower() == ".tar":
            return find_member(holder, member).size
        return _parquet(holder).size(member)
    except BadInput as error:
        raise BadData(str(error)) from None


def held_file(holder: Path, member: str) -> Path:
    """A copy of a medium inside of a file. Raises as `held_size`, and `OSError`."""
    try:
        if holder.suffix.lower() == ".parquet":
            return _parquet(holder).copy(member)
        found = find_member(holder, member)
    except BadInput as error:
        raise BadData(str(error)) from None

    def bring(target: Path) -> None:
        with holder.open("rb") as source, target.open("wb") as out:
            source.seek(found.start)
            left = found.size
            while left:
                piece = source.read(min(_PIECE, left))
                if not piece:
                    raise BadData(f"{holder}: was cut off while it was in use")
                out.write(piece)
                left -= len(piece)

    return _cache().get(f"{_version(holder)}/{member}", found.size, bring)


class _ParquetMedia:
    """The media of one Parquet file, row group by row group."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = _version(path)
        self._ends = list(accumulate(group_sizes(path)))
        self._sizes: dict[int, Mapping[str, int]] = {}
        self._lock = Lock()

    def size(self, member: str) -> int:
        return self._of(self._group(member), member)

    def copy(self, member: str) -> Path:
        group = self._group(member)

        def bring(target: Path) -> None:  # it had to make room since its group was copied
            target.write_bytes(self._read(group, member))

        return _cache().get(f"{self._folder}/{member}", self._of(group, member), bring)

    def _of(self, group: int, member: str) -> int:
        with self._lock:
            if group not in self._sizes:
                while len(self._sizes) >= _GROUPS:
                    del self._sizes[next(iter(self._sizes))]
                self._sizes[group] = self._copy_all(group)
            size = self._sizes[group].get(member)
        if size is None:
            raise FileNotFoundError(f"{self._path}: holds no medium {member!r}")
        return size

    def _group(self, member: str) -> int:
        row = member.partition("/")[0]
        if not row.isdecimal() or int(row) >= self._ends[-1]:
            raise FileNotFoundError(f"{self._path}: holds no medium {member!r}")
        return bisect_right(self._ends, int(row))

    def _copy_all(self, group: int) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for row in self._rows(group):
            for name, content in row.items():
                sizes[name] = len(content)
                _cache().get(
                    f"{self._folder}/{name}",
                    len(content),
                    lambda target, content=content: _write(target, content),
                )
        return sizes

    def _read(self, group: int, member: str) -> bytes:
        return next(row[member] for row in self._rows(group) if member in row)

    def _rows(self, group: int):
        first = self._ends[group - 1] if group else 0
        for row in rows_of_group(self._path, group, first=first, name=""):
            yield {name.removeprefix("/"): content for name, content in row.media.items()}


def _write(target: Path, content: bytes) -> None:
    target.write_bytes(content)


def _parquet(path: Path) -> _ParquetMedia:
    stat = path.stat()
    return _opened(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=32)
def _opened(path: Path, size: int, changed: int) -> _ParquetMedia:
    return _ParquetMedia(path)


def _version(path: Path) -> str:
    """A folder for the copies of what a file holds; another one once the file has changed."""
    stat = path.stat()
    told = f"{path.absolute()} {stat.st_size} {stat.st_mtime_ns}"
    return f"held/{hashlib.sha256(told.encode()).hexdigest()[:24]}"


def _cache() -> ScratchCache:
    return _cache_of(os.environ.get("APOLLO_SCRATCH"), os.environ.get("APOLLO_SCRATCH_GB"))


@lru_cache(maxsize=4)
def _cache_of(folder: str | None, most: str | None) -> ScratchCache:
    """One for the process: it counts what came anew."""
    return scratch_cache()
