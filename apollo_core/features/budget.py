"""How much more a folder of features may grow."""

from __future__ import annotations

import shutil
from pathlib import Path

# Features never take the last of a disk: results and checkpoints need it.
KEPT_FREE = 2**30
# A folder is measured again after this process has added so much to it: others add too.
MEASURED_EVERY = 2**26


class Budget:
    """Bounds a folder that several processes fill, to within what each adds between two looks.

    Args:
        folder: of all features.
        most: bytes that it may take.
    """

    def __init__(self, folder: Path, most: int) -> None:
        self._folder = folder
        self._most = most
        self._left: float = -1.0
        self._until_look = 0

    def refuses(self, length: int) -> str:
        """Why `length` more bytes may not be added; "" if they may, and are counted as added."""
        if self._until_look < length:
            self._until_look = max(MEASURED_EVERY, length)
            self._left = self._most - bytes_under(self._folder)
            free = shutil.disk_usage(self._folder).free - KEPT_FREE
            if free < self._until_look and free < self._left:
                return f"the disk of {self._folder} has less than {KEPT_FREE // 2**20} MiB to spare"
        if self._left < length:
            return (
                f"{self._folder} has reached its {self._most / 1e9:.3g} GB "
                "(execution.feature_cache.budget); `apollo gc` removes what no sweep uses"
            )
        self._left -= length
        self._until_look -= length
        return ""


def bytes_under(folder: Path) -> int:
    """Bytes of all files in a folder; 0 where there is none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # removed meanwhile
    return total
