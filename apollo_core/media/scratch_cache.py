"""Files fetched from elsewhere, kept on this machine's own disk within a bound.

The folder is `$APOLLO_SCRATCH`, else one of the user's in the folder for temporary files; the bound
is `$APOLLO_SCRATCH_GB` (20). All processes of a machine share both. What was used longest ago goes
first, and nothing that was used in the last minute: somebody may be about to open it, so the bound
gives way to what is in use at once.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from apollo_core.errors import BadInput

_DEFAULT_GB = 20.0
_IN_USE_S = 60.0
_LOCKS = 64
# To look at every file costs time: only after this share of the bound has come anew.
_LOOK_AFTER = 0.02
_ROOM = 0.9


class ScratchCache:
    """A folder of copies.

    Args:
        folder: made when it is needed.
        most: bytes that the copies may take together.
        in_use: seconds for which a copy that was asked for stays.
    """

    def __init__(self, folder: Path, most: int, *, in_use: float = _IN_USE_S) -> None:
        self.folder = folder
        self._most = most
        self._in_use = in_use
        self._new = 0
        self._lock = threading.Lock()

    def get(self, name: str, size: int, bring: Callable[[Path], None]) -> Path:
        """The copy of `name`, of `size` bytes; made by `bring` where it is not there.

        Args:
            name: relative path of the copy.
            size: what it must have; a copy of another size is an older one.
            bring: writes the file that it is given, or raises, and then nothing is kept.
        """
        path = self.folder / name
        if not self._is_there(path, size):
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / f".lock-{hash_of(name) % _LOCKS}"):
                if not self._is_there(path, size):
                    self._make(path, bring)
                    self._count(size)
        return path

    def bytes(self) -> int:
        """What the copies take."""
        return sum(size for _, size, _ in self._copies())

    def _is_there(self, path: Path, size: int) -> bool:
        try:
            found = path.stat()
            if found.st_size != size:
                return False
            # Only the time of use: the time of change is part of what a frame cache knows it by.
            os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))
        except FileNotFoundError:
            return False
        return True

    def _make(self, path: Path, bring: Callable[[Path], None]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            bring(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    def _count(self, size: int) -> None:
        with self._lock:
            self._new += size
            if self._new < self._most * _LOOK_AFTER:
                return
            self._new = 0
        self._shrink()

    def _shrink(self) -> None:
        copies = sorted(self._copies(), key=lambda copy: copy[2])
        total = sum(size for _, size, _ in copies)
        if total <= self._most:
            return
        for path, size, used in copies:
            if total <= self._most * _ROOM or time.time() - used < self._in_use:
                return
            path.unlink(missing_ok=True)
            total -= size

    def _copies(self) -> list[tuple[Path, int, float]]:
        """Path, bytes and time of the last use of each copy; of half-made ones too."""
        found: list[tuple[Path, int, float]] = []
        for path in self.folder.rglob("*"):
            # Another process may remove what this one has just listed.
            with contextlib.suppress(OSError):
                stat = path.stat()
                if path.is_file() and not path.name.startswith(".lock-"):
                    found.append((path, stat.st_size, stat.st_atime))
        return found


def scratch_cache() -> ScratchCache:
    """This machine's.

    Raises:
        BadInput: `$APOLLO_SCRATCH_GB` is no positive number.
    """
    folder = os.environ.get("APOLLO_SCRATCH")
    default = Path(tempfile.gettempdir()) / f"apollo-scratch-{os.getuid()}"
    told = os.environ.get("APOLLO_SCRATCH_GB")
    try:
        most = float(told) if told else _DEFAULT_GB
    except ValueError:
        most = -1.0
    if not 0 < most < float("inf"):
        raise BadInput(f"$APOLLO_SCRATCH_GB is {told!r}; give a number of gigabytes above 0")
    return ScratchCache(Path(folder).expanduser() if folder else default, int(most * 1e9))


def hash_of(name: str) -> int:
    """The same in every process, unlike `hash`."""
    return int.from_bytes(name.encode()[-8:], "big") ^ len(name)
