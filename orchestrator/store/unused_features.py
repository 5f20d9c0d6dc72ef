"""Features of frozen encoders that no sweep of a store could read."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from apollo_core.features.feature_use import IN_USE
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord


def unused_features(store: Store, wanted_by: Iterable[SweepRecord]) -> list[Path]:
    """Folders of features that none of these sweeps refers to and that nobody reads or fills."""
    wanted = {key for record in wanted_by for key in record.features}
    if not store.features.is_dir():
        return []
    found = [each for each in store.features.iterdir() if each.is_dir() and each.name not in wanted]
    unused: list[Path] = []
    for folder in sorted(found):
        with _alone(folder) as alone:
            if alone:
                unused.append(folder)
    return unused


def remove_features(folder: Path) -> bool:
    """Remove a folder of features unless somebody has begun to use it; whether it was removed."""
    with _alone(folder) as alone:
        if alone:
            shutil.rmtree(folder, ignore_errors=True)
    return alone


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Whether nobody uses a folder; and nobody begins to for the time of the block."""
    try:
        handle = os.open(folder / IN_USE, os.O_RDWR)
    except FileNotFoundError:
        yield True  # what a removal that was interrupted has left
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(handle)
