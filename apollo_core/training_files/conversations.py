"""The conversations of a training set, read one at a time: in memory is where each of them lies.

Fourteen bytes a row; four more of sets in blocks, and four where ids are repeated: of a million
rows 14 to 22 MB.
"""

from __future__ import annotations

import hashlib
import json
import os
import weakref
from abc import ABC, abstractmethod
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np

from apollo_core.errors import BadData, BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, Sample, parse_line, sample_of
from apollo_core.training_files.bad_rows import BadRows
from apollo_core.training_files.chat_forms import own_form
from apollo_core.training_files.json_files import Entry, entries_of_lines, entries_of_list
from apollo_core.training_files.parquet_rows import TURNS, group_sizes
from apollo_core.training_files.places import PACKED, Kind, files_of, kind_of
from apollo_core.training_files.row_ids import RowIds, called
from apollo_core.training_files.unpacked import Unpacked, sample_in, unpack, unpacked_beside


class Samples(Sequence[Sample], ABC):
    """Samples that are read when they are asked for, by their place."""

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...

    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        """Raises `BadData` where the file was changed since it was checked."""
        if isinstance(index, slice):
            return tuple(self[each] for each in range(*index.indices(len(self))))
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._read(index % len(self))

    @abstractmethod
    def _read(self, row: int) -> Sample:
        """The sample of a row that there is."""


class Conversations(Samples):
    """A set that was checked from its first row to its last.

    Threads may share one.

    Attributes:
        blocks: of each row, the block that it lies in; None where rows can be read in any order.
        turns: of each row, how many turns it has.
    """

    def __init__(self, rows: _Rows, load: Callable[[int, bytes], Sample], ids: RowIds) -> None:
        self._files = rows.files
        self._first = rows.first
        self._start = np.frombuffer(rows.start, np.int64)
        self._length = np.frombuffer(rows.length, np.uint32)
        self._numbers: np.ndarray | None = None
        self._times = ids.times()
        self._load = load
        self.turns = np.frombuffer(rows.turns, np.uint16)
        self.blocks: np.ndarray | None = None
        self._open: list[int] = []
        for file in rows.files:
            self._open.append(os.open(file, os.O_RDONLY))
        weakref.finalize(self, _close, self._open)

    def __len__(self) -> int:
        return len(self.turns)

    def _read(self, row: int) -> Sample:
        number = row if self._numbers is None else int(self._numbers[row])
        place = bisect_right(self._first, number) - 1
        raw = os.pread(self._open[place], int(self._length[row]), int(self._start[row]))
        try:
            sample = self._load(number, raw)
        except (BadRecordError, ValueError) as error:
            raise BadData(
                f"{self._files[place]}: row {number + 1} was changed while the file was in use "
                f"({error})"
            ) from None
        if self._times is None or self._times[number] == 1:
            return sample
        return replace(sample, id=called(sample.id, int(self._times[number])))

    @property
    def repeated(self) -> int:
        """How many samples have an id that stood before, and are called by its place too."""
        if self._times is None:
            return 0
        kept = self._times if self._numbers is None else self._times[self._numbers]
        return int((kept > 1).sum())

    def without(self, media: Collection[str], ids: Collection[str]) -> Conversations:
        """Leave out the samples with these ids, and those that show one of these media."""
        kept = np.fromiter(
            (
                sample.id not in ids and not any(path in media for _, path in sample.media)
                for sample in self
            ),
            bool,
            len(self),
        )
        if kept.all():
            return self
        left = copy(self)
        left._start, left._length = self._start[kept], self._length[kept]
        left.turns = self.turns[kept]
        left.blocks = None if self.blocks is None else self.blocks[kept]
        numbers = np.arange(len(self)) if self._numbers is None else self._numbers
        left._numbers = numbers[kept]
        left._open = [os.dup(each) for each in self._open]
        weakref.finalize(left, _close, left._open)
        return left


def read_conversations(path: Path, root: Path | None = None) -> Conversations:
    """Check every row of a set, and tell where each of them lies.

    Args:
        path: a file, a folder or a pattern (`apollo_core.training_files.places`).
        root: the folder that media paths start from; without it, that of the first file. Only
            media inside of files are named by it.

    Raises:
        DataMissing: there is no such file.
        BadInput: naming file, row and what is wrong, for the first bad rows.
    """
    beside = unpacked_beside(path)
    if beside is not None:
        return _packed(beside)
    files = files_of(path)
    kind = kind_of(files)
    if kind in PACKED:
        return _packed(unpack(files, kind, root or files[0].parent))
    rows, ids, bad = _Rows(files), RowIds(), BadRows()
    for file, entry in _entries(files, kind, rows.begin):
        try:
            sample = _sample(len(ids), entry.load())
        except BadRecordError as error:
            bad.add(file, entry.place, error)
            continue
        ids.add(sample.id)
        rows.add(entry.start, entry.length, len(sample.turns))
    bad.tell()
    if not len(ids):
        raise BadInput(f"{path}: the manifest is empty; one JSON record per line is needed")
    ids.tell_taken(lambda: _named(files, kind))
    return Conversations(rows, _from_json, ids)


def holds_conversations(path: Path) -> bool:
    """Whether a file, folder or pattern is a training set, by its first row or its columns.

    What cannot be told, or is broken, is not: the reader of the one or the other says why.

    Raises:
        DataMissing: there is no such file.
    """
    if unpacked_beside(path) is not None:
        return True
    try:
        files = files_of(path)
        kind = kind_of(files)
        if kind == "tar":
            return True
        if kind == "parquet":
            return bool(group_sizes(files[0]))
        first = next(_entries(files[:1], kind, lambda: None), None)
        return first is not None and not TURNS.isdisjoint(first[1].load())
    except DataMissing:
        raise
    except (BadInput, BadRecordError):
        return False


def conversations_digest(path: Path, root: Path | None = None) -> str:
    """sha256 of a set's file; of several, of each one's name and sha256; of what is unpacked, of
    what it was made of. Raises as `read_conversations`."""
    beside = unpacked_beside(path)
    if beside is not None:
        return beside.digest
    files = files_of(path)
    kind = kind_of(files)
    if kind in PACKED:
        return unpack(files, kind, root or files[0].parent).digest
    return digest_of(files)


def digest_of(files: Sequence[Path]) -> str:
    """sha256 of a file; of several, of each one's name and sha256."""
    digests: list[tuple[str, str]] = []
    for each in files:
        with each.open("rb") as file:
            digests.append((each.name, hashlib.file_digest(file, "sha256").hexdigest()))
    if len(digests) == 1:
        return digests[0][1]
    return hashlib.sha256(json.dumps(sorted(digests)).encode()).hexdigest()


def is_at_hand(path: Path) -> bool:
    """Whether the files of a set are there, or what a mirror keeps of them."""
    if unpacked_beside(path) is not None:
        return True
    try:
        return all(file.is_file() for file in files_of(path))
    except BadInput:
        return False


def of_each_length(samples: Sequence[Sample]) -> Iterable[Sample]:
    """A sample of each number of turns."""
    if isinstance(samples, Joined):
        return samples.of_each_length()
    return {len(sample.turns): sample for sample in samples}.values()


class Joined(Samples):
    """Sets one behind the other.

    Attributes:
        blocks: of each row, its block; None where rows can be read in any order.
    """

    def __init__(self, sets: Sequence[Conversations]) -> None:
        self._sets = sets
        self._ends = np.cumsum([len(own) for own in sets]).tolist()
        self.blocks = _joined_blocks(sets)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def _read(self, row: int) -> Sample:
        place = bisect_right(self._ends, row)
        return self._sets[place][row - (self._ends[place] - len(self._sets[place]))]

    def of_each_length(self) -> list[Sample]:
        """The last sample of each number of turns."""
        found: dict[int, Sample] = {}
        for own in self._sets:
            for turns in np.unique(own.turns).tolist():
                found[turns] = own[int(np.flatnonzero(own.turns == turns)[-1])]
        return list(found.values())


def _joined_blocks(sets: Sequence[Conversations]) -> np.ndarray | None:
    """Blocks of all sets; rows that can be read in any order are blocks of their own."""
    if all(own.blocks is None for own in sets):
        return None
    found: list[np.ndarray] = []
    taken = 0
    for own in sets:
        blocks = np.arange(len(own), dtype=np.int32) if own.blocks is None else own.blocks
        found.append(blocks + taken)
        taken += int(blocks.max(initial=-1)) + 1
    return np.concatenate(found)


class _Rows:
    """Where rows lie, as they are found."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = tuple(files)
        self.first: list[int] = []
        self.start, self.length, self.turns = array("q"), array("I"), array("H")

    def begin(self) -> None:
        """What follows is of the next file."""
        self.first.append(len(self.turns))

    def add(self, start: int, length: int, turns: int) -> None:
        self.start.append(start)
        self.length.append(length)
        self.turns.append(min(turns, 65535))


def _entries(
    files: tuple[Path, ...], kind: Kind, begin: Callable[[], None]
) -> Iterator[tuple[Path, Entry]]:
    read = entries_of_list if kind == "list" else entries_of_lines
    for file in files:
        begin()
        for entry in read(file):
            yield file, entry


def _named(files: tuple[Path, ...], kind: Kind) -> Iterator[tuple[Path, str, str]]:
    entries = _entries(files, kind, lambda: None)
    for number, (file, entry) in enumerate(entries):
        yield file, entry.place, _sample(number, entry.load()).id


def _sample(number: int, row: object) -> Sample:
    known = own_form(row)  # pyright: ignore[reportArgumentType]
    if "id" not in known:
        known = {"id": f"#{number + 1}", **known}
    return sample_of(known)


def _from_json(number: int, raw: bytes) -> Sample:
    return _sample(number, parse_line(raw))


def _packed(unpacked: Unpacked) -> Conversations:
    rows, ids = _Rows((unpacked.rows,)), RowIds()
    rows.begin()
    at = 0
    with unpacked.rows.open("rb") as file:
        for line in file:
            sample = sample_in(line)
            ids.add(sample.id)
            rows.add(at, len(line), len(sample.turns))
            at += len(line)
    found = Conversations(rows, lambda _, raw: sample_in(raw), ids)
    sizes = np.asarray(unpacked.blocks)
    found.blocks = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    return found


def _close(opened: list[int]) -> None:
    for each in opened:
        os.close(each)
