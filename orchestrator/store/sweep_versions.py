"""The versions of a sweep: each file of its name that ran, and which of them ran last."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.store.store import Store
from orchestrator.store.sweep_record import LATEST, SweepRecord, read_record

# Other things lie beside the records: what is known of the sweep's media, for one.
_RECORD = re.compile(r"[0-9a-f]{16}\.json")


@dataclass(frozen=True)
class Version:
    """A version of a sweep that ran.

    Attributes:
        record: its stages.
        place: of its sweep file, under the store.
        ran: when it began to run last, seconds since the epoch; of one that was pulled: came.
        newest: it is the one of its name that ran last.
    """

    record: SweepRecord
    place: str
    ran: float
    newest: bool


def versions(store: Store) -> list[Version]:
    """Every version of every sweep that ever ran in this store, the one that ran last first.

    Raises:
        BadInput: a record cannot be read: guessing which stages are in use could lose results.
    """
    found = [
        each
        for folder in sorted((store.root / "sweeps").glob("*"))
        if folder.is_dir()
        for each in _versions(store, folder)
    ]
    return sorted(found, key=lambda each: -each.ran)


def _versions(store: Store, folder: Path) -> Iterator[Version]:
    """Those of one sweep; all of them count as the newest where it is not known which one is."""
    latest = folder / LATEST
    newest = read_record(latest) if latest.is_file() else None
    if newest is not None:
        place = str(latest.relative_to(store.root))
        yield Version(newest, place, latest.stat().st_mtime, newest=True)
    for path in sorted(folder.glob("*.json")):
        if not _RECORD.fullmatch(path.name):
            continue
        record = read_record(path)
        if record != newest:
            place = str(path.with_suffix(".yaml").relative_to(store.root))
            yield Version(record, place, _ran(path), newest=newest is None)


def _ran(record: Path) -> float:
    try:
        return float(record.with_suffix(".ran").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return record.stat().st_mtime
