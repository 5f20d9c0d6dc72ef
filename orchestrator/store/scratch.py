"""The temporary folder of one run: removed at its end, and by the next run if it was killed.

A folder is in use as long as a process holds a lock on a file in it. The kernel gives a lock
back when its process ends, however it ends; a process id would not do, since containers that share
a folder for temporary files number their processes apart.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_PREFIX = "apollo-"
_LOCK = ".apollo-run"
# Processes that were told to end may still write for a moment.
_PATIENCE = 10.0


@contextmanager
def scratch_folder(*, longest: int) -> Iterator[Path]:
    """Make a folder for the time of the block, and remove those that killed runs left behind.

    Args:
        longest: what the path may have of characters; beyond, the folder lies in `/tmp`.
    """
    parent = Path(tempfile.gettempdir())
    if len(f"{parent}/{_PREFIX}12345678") > longest:
        parent = Path("/tmp")
    remove_leftovers(parent)
    # Renamed once it is locked: under its name there is never a folder that looks left behind.
    making = Path(tempfile.mkdtemp(prefix=f".{_PREFIX}", dir=parent))
    with (making / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        folder = making.rename(parent / making.name.removeprefix("."))
        try:
            yield folder
        finally:
            _remove(folder, patience=_PATIENCE)
            remove_leftovers(parent)  # what was still being written to at the beginning


def keep_in_use(folder: Path) -> IO[str]:
    """Hold a folder for another process too, which may outlive the one that made it.

    Args:
        folder: made by `scratch_folder`.

    Returns:
        What holds it, as long as it is open.
    """
    lock = (folder / _LOCK).open("r+")
    fcntl.flock(lock, fcntl.LOCK_SH)
    return lock


def remove_leftovers(parent: Path) -> None:
    """Remove the folders under `parent` that were made here and that nobody uses any more."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder, patience=0.0)
        except OSError:
            continue  # in use, somebody else's, or nothing of ours


def _remove(folder: Path, *, patience: float) -> None:
    """Remove the lock last: what cannot be removed now is then a leftover for the next run."""
    until = time.monotonic() + patience
    while True:
        for path in _all_but_lock(folder):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if not _all_but_lock(folder):
            shutil.rmtree(folder, ignore_errors=True)
            return
        if time.monotonic() > until:
            return
        time.sleep(0.05)


def _all_but_lock(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name != _LOCK]
