"""`apollo gc`: remove the stages that no registered sweep refers to."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.store import lease
from orchestrator.store.store import Store, folder_bytes
from orchestrator.store.sweep_record import all_registered


@dataclass(frozen=True)
class Orphan:
    """A stage that no sweep refers to, and the bytes that it takes."""

    key: str
    bytes: int


def orphans(store: Store) -> list[Orphan]:
    """Stages and attempts that no registered sweep refers to and nobody works on."""
    wanted = {key for record in all_registered(store) for key in record.stages}
    found: set[str] = set()
    for name in ("stages", "attempts"):
        folder = store.root / name
        if folder.is_dir():
            found |= {entry.name for entry in folder.iterdir() if entry.is_dir()}
    return [Orphan(key, _size(store, key)) for key in sorted(found - wanted) if _idle(store, key)]


def remove_orphans(store: Store) -> list[Orphan]:
    """Remove what `orphans` lists, and return it."""
    found = orphans(store)
    for orphan in found:
        store.remove(orphan.key)
    return found


def _idle(store: Store, key: str) -> bool:
    return not lease.looks_alive(lease.read_lease(store.attempts_folder(key)))


def _size(store: Store, key: str) -> int:
    return folder_bytes(store.stage_folder(key)) + folder_bytes(store.attempts_folder(key))
