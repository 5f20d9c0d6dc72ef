"""`apollo gc`: remove what no sweep refers to, and what finished stages left over.

What an older version of a sweep refers to, and its newest no more, is listed, and stays until that
is asked for: who takes a level out today may put it back tomorrow.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.store import lease
from orchestrator.store.references import References, references
from orchestrator.store.store import PULLED, Store, folder_bytes
from orchestrator.store.sweep_versions import Version
from orchestrator.store.unused_data import unused_data
from orchestrator.store.unused_features import remove_features, unused_features


@dataclass(frozen=True)
class Orphan:
    """What nobody needs, and the bytes that it takes.

    Attributes:
        key: of the stage or features; of data the folder's name under the store.
        bytes: that it takes.
        kind: `stage`, `features`, `data`: no sweep refers to them. `leftovers`: checkpoints, half
            results and what was pulled of a stage that is done, left by a process that was killed
            between its end and tidying up.
        older: the version of a sweep that referred to it last; None = none ever did.
    """

    key: str
    bytes: int
    kind: Literal["stage", "features", "data", "leftovers"] = "stage"
    older: Version | None = None


def orphans(store: Store, sweeps: References | None = None) -> list[Orphan]:
    """What no sweep refers to and nobody works on, and what finished stages have left over.

    Args:
        store: where to look.
        sweeps: those of the store, where they have been read already.
    """
    sweeps = sweeps or references(store)
    wanted = {key for record in sweeps.wanted for key in record.stages}
    stages = (key for key in sorted(_keys(store) - wanted) if _idle(store, key))
    features = unused_features(store, sweeps.wanted)
    data = unused_data(store, sweeps)
    return [
        *(Orphan(key, _size(store, key), "stage", sweeps.last(key)) for key in stages),
        *_leftovers(store, sorted(_keys(store) & wanted)),
        *(_folder(each, each.name, "features", sweeps) for each in features),
        *(_folder(each, f"{each.parent.name}/{each.name}", "data", sweeps) for each in data),
    ]


def remove_orphans(store: Store, found: Iterable[Orphan]) -> list[Orphan]:
    """Remove what `orphans` has found, except what is in use by now; return what was removed."""
    return [each for each in found if _remove(store, each)]


def _remove(store: Store, orphan: Orphan) -> bool:
    if orphan.kind == "features":
        return remove_features(store.features / orphan.key)
    if orphan.kind == "stage":
        if not _idle(store, orphan.key):
            return False
        store.remove(orphan.key)
    elif orphan.kind == "data":
        shutil.rmtree(store.root / orphan.key, ignore_errors=True)
    else:
        for folder in _left(store, orphan.key):
            shutil.rmtree(folder, ignore_errors=True)
    return True


def _keys(store: Store) -> set[str]:
    """Of all stages that are done or were begun."""
    folders = [store.root / name for name in ("stages", "attempts")]
    found = [entry for each in folders if each.is_dir() for entry in each.iterdir()]
    return {entry.name for entry in found if entry.is_dir()}


def _folder(
    folder: Path, key: str, kind: Literal["features", "data"], sweeps: References
) -> Orphan:
    return Orphan(key, folder_bytes(folder), kind, sweeps.last(key))


def _leftovers(store: Store, keys: Iterable[str]) -> Iterator[Orphan]:
    for key in keys:
        if left := list(_left(store, key)):
            yield Orphan(key, sum(map(folder_bytes, left)), "leftovers")


def _left(store: Store, key: str) -> Iterator[Path]:
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
