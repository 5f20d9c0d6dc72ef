"""The ids of a set: public files repeat theirs, so one that came before gets its place, `000#2`."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apollo_core.media.manifest_record import BadRecordError
from apollo_core.training_files.bad_rows import BadRows

# An id that may be what a repeated one is called; of longer numbers there are not as many rows.
_CALLED = re.compile(r"(.+)#([2-9]|[1-9]\d{1,8})", re.DOTALL)


def called(name: str, time: int) -> str:
    """What a row is called whose id stands for that time, counted from 1."""
    return name if time == 1 else f"{name}#{time}"


class RowIds:
    """The ids of a million rows in eight bytes each.

    Two ids of one hash (one in 4 * 10^7 sets of a million rows has any) would count as one: the
    later is then called by its place too, in every process alike.
    """

    def __init__(self) -> None:
        self._hashes = array("q")
        # Of ids that end like `#2`: their own hash, that of what stands before it, and the number.
        self._called, self._bases, self._times = array("q"), array("q"), array("q")

    def add(self, name: str) -> None:
        """Take one more."""
        own = _hash(name)
        self._hashes.append(own)
        if "#" in name and (found := _CALLED.fullmatch(name)):
            self._called.append(own)
            self._bases.append(_hash(found[1]))
            self._times.append(int(found[2]))

    def __len__(self) -> int:
        return len(self._hashes)

    def times(self) -> NDArray[np.uint32] | None:
        """Of each row, for which time its id stands there, from 1; None where none is repeated."""
        hashes = np.frombuffer(self._hashes, np.int64)
        if not _repeats(np.sort(hashes)).any():
            return None
        order = np.argsort(hashes, kind="stable")
        places = np.arange(len(order))
        begins = np.where(np.r_[False, _repeats(hashes[order])], 0, places)
        found = np.empty(len(order), np.uint32)
        found[order] = places - np.maximum.accumulate(begins) + 1
        return found

    def tell_taken(self, again: Callable[[], Iterator[tuple[Path, str, str]]]) -> None:
        """Raise `BadInput` where a row's own id is what a repeated one would be called.

        Args:
            again: file, place and id of every row once more; asked only where there is such an id.
        """
        if not self._bases:
            return
        known, counts = np.unique(np.frombuffer(self._hashes, np.int64), return_counts=True)
        bases = np.frombuffer(self._bases, np.int64)
        near = np.minimum(np.searchsorted(known, bases), len(known) - 1)
        taken = (known[near] == bases) & (counts[near] >= np.frombuffer(self._times, np.int64))
        if not taken.any():
            return
        named = set(np.frombuffer(self._called, np.int64)[taken].tolist())
        bad = BadRows()
        for file, place, name in again():
            if _hash(name) in named:
                base, _, time = name.rpartition("#")
                why = f"id {name!r} is what id {base!r} is called where it stands for time {time}"
                bad.add(file, place, BadRecordError(f"{why}; give this row another"))
        bad.tell()


def _repeats(ordered: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each but the first is what stands before it."""
    return ordered[1:] == ordered[:-1]


def _hash(name: str) -> int:
    # Not `hash`, which differs from process to process.
    raw = name.encode(errors="surrogatepass")  # names of a shard's members are any bytes
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big", signed=True)
