"""What is wrong with the rows of a file: the first few told, the rest counted."""

from __future__ import annotations

from pathlib import Path

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
