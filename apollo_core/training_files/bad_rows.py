"""What is wrong with the rows of a file: the first few told, the rest counted, ids compared."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from apollo_core.errors import BadInput
from apollo_core.media.manifest_record import BadRecordError

TOLD = 10


class BadRows:
    """Collects what is wrong."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._wrong = 0

    def add(self, file: Path, place: str, error: BadRecordError) -> None:
        """Note one row."""
        self._wrong += 1
        if self._wrong <= TOLD:
            self._told.append(f"{file}{place}: {error}")

    def tell(self) -> None:
        """Raise one `BadInput` if anything was wrong."""
        if self._told:
            more = self._wrong - len(self._told)
            rest = f"\n... and {more} more bad lines" if more else ""
            raise BadInput("\n".join(self._told) + rest)


def used_already(name: str, place: str) -> BadRecordError:
    """That an id was used at `place` before."""
    there = f"in line {place[1:]}" if place.startswith(":") else f"at{place.removeprefix(',')}"
    return BadRecordError(f"id {name!r} was used {there} already; ids are unique")


class Ids:
    """The ids of a million rows in eight bytes each."""

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, name: str) -> None:
        """Take one more."""
        self._hashes.append(hash(name))

    def __len__(self) -> int:
        return len(self._hashes)

    def tell_repeated(self, again: Callable[[], Iterator[tuple[Path, str, str]]]) -> None:
        """Raise `BadInput` where an id came twice.

        Args:
            again: file, place and id of every row once more; asked only where hashes meet.
        """
        known, counts = np.unique(np.frombuffer(self._hashes, np.int64), return_counts=True)
        repeated = set(known[counts > 1].tolist())
        if not repeated:
            return
        bad, first = BadRows(), dict[str, str]()
        for file, place, name in again():
            if hash(name) not in repeated:
                continue
            if name in first:
                bad.add(file, place, used_already(name, first[name]))
            else:
                first[name] = place
        bad.tell()
