"""`apollo gc`: remove the stages and the features that no registered sweep refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from orchestrator.store import lease
from orchestrator.store.store import Store, folder_bytes
from orchestrator.store.sweep_record import all_registered
from orchestrator.store.unused_features import remove_features, unused_features


@dataclass(frozen=True)
class Orphan:
    """A stage, or features, that no sweep refers to, and the bytes that it takes."""

    key: str
    bytes: int
    kind: Literal["stage", "features"] = "stage"


def orphans(store: Store) -> list[Orphan]:
    """What no registered sweep refers to and nobody works on: stages, attempts, features."""
    wanted = {key for record in all_registered(store) for key in record.stages}
    found: set[str] = set()
    for name in ("stages", "attempts"):
        folder = store.root / name
        if folder.is_dir():
            found |= {entry.name for entry in folder.iterdir() if entry.is_dir()}
    idle = (key for key in sorted(found - wanted) if _idle(store, key))
    stages = [Orphan(key, _size(store, key)) for key in idle]
    return stages + [
        Orphan(folder.name, folder_bytes(folder), "features") for folder in unused_features(store)
    ]


def remove_orphans(store: Store) -> list[Orphan]:
    """Remove what `orphans` lists, and return it."""
    removed: list[Orphan] = []
    for orphan in orphans(store):
        if orphan.kind == "stage":
            store.remove(orphan.key)
        elif not remove_features(store.features / orphan.key):
            continue
        removed.append(orphan)
    return removed


def _idle(store: Store, key: str) -> bool:
    return not lease.looks_alive(lease.read_lease(store.attempts_folder(key)))


def _size(store: Store, key: str) -> int:
    return folder_bytes(store.stage_folder(key)) + folder_bytes(store.attempts_folder(key))
