"""`apollo gc`: remove what no registered sweep refers to, and what finished stages left over."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.store import lease
from orchestrator.store.store import PULLED, Store, folder_bytes
from orchestrator.store.sweep_record import all_registered
from orchestrator.store.unused_data import unused_data
from orchestrator.store.unused_features import remove_features, unused_features


@dataclass(frozen=True)
class Orphan:
    """What nobody needs, and the bytes that it takes.

    `stage`, `features`, `data`: no sweep refers to them. `leftovers`: checkpoints, half results and
    what was pulled of a stage that is done, left by a process that was killed between its end and
    tidying up. `key` is a folder's name under the store where it is `data`.
    """

    key: str
    bytes: int
    kind: Literal["stage", "features", "data", "leftovers"] = "stage"


def orphans(store: Store) -> list[Orphan]:
    """What no sweep refers to and nobody works on, and what finished stages have left over."""
    wanted = {key for record in all_registered(store) for key in record.stages}
    found: set[str] = set()
    for name in ("stages", "attempts"):
        folder = store.root / name
        if folder.is_dir():
            found |= {entry.name for entry in folder.iterdir() if entry.is_dir()}
    idle = (key for key in sorted(found - wanted) if _idle(store, key))
    stages = [Orphan(key, _size(store, key)) for key in idle]
    left = [
        Orphan(key, sum(map(folder_bytes, _leftovers(store, key))), "leftovers")
        for key in sorted(found & wanted)
        if any(_leftovers(store, key))
    ]
    features = [
        Orphan(folder.name, folder_bytes(folder), "features") for folder in unused_features(store)
    ]
    data = [
        Orphan(f"{folder.parent.name}/{folder.name}", folder_bytes(folder), "data")
        for folder in unused_data(store)
    ]
    return [*stages, *left, *features, *data]


def remove_orphans(store: Store) -> list[Orphan]:
    """Remove what `orphans` lists, and return it."""
    removed: list[Orphan] = []
    for orphan in orphans(store):
        if orphan.kind == "stage":
            store.remove(orphan.key)
        elif orphan.kind == "leftovers":
            for folder in _leftovers(store, orphan.key):
                shutil.rmtree(folder, ignore_errors=True)
        elif orphan.kind == "data":
            shutil.rmtree(store.root / orphan.key, ignore_errors=True)
        elif not remove_features(store.features / orphan.key):
            continue
        removed.append(orphan)
    return removed


def _leftovers(store: Store, key: str) -> Iterator[Path]:
    """Folders that an attempt at a stage which is done by now has left behind."""
    if store.is_done(key) and _idle(store, key):
        attempts = store.attempts_folder(key)
        beside = (store.checkpoints_folder(key), attempts / PULLED)
        yield from (each for each in beside if each.is_dir())
        yield from attempts.glob("work-*")


def _idle(store: Store, key: str) -> bool:
    return not lease.looks_alive(lease.read_lease(store.attempts_folder(key)))


def _size(store: Store, key: str) -> int:
    return folder_bytes(store.stage_folder(key)) + folder_bytes(store.attempts_folder(key))
