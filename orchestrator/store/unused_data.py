"""Data in the store that no sweep of it refers to: generated worlds, mirrors of buckets.

Both are made again when a sweep asks for them.
"""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.store.references import References
from orchestrator.store.store import Store

_FOLDERS = ("worlds", "remote")
# A run makes its data some time before its sweep is registered.
_YOUNG = 86400.0


def unused_data(store: Store, sweeps: References) -> list[Path]:
    """Folders of data, older than a day, that no sweep refers to.

    Nothing where a record is of a time when records did not tell.
    """
    wanted = {record.data for record in sweeps.wanted}
    if None in wanted or any(each.record.data is None for each in sweeps.older):
        return []
    found = [each for name in _FOLDERS for each in sorted((store.root / name).glob("*"))]
    before = time.time() - _YOUNG
    return [
        each
        for each in found
        if each.is_dir()
        and f"{each.parent.name}/{each.name}" not in wanted
        and each.stat().st_mtime < before
    ]
