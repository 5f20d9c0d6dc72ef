"""A sweep's last report, kept in its store so that a view made anew has it again."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from orchestrator.files import sha256_of
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import sweep_folder


def keep_report(store: Store, name: str, files: Sequence[Path], *, folder: Path) -> None:
    """Keep a report's own files, by their places in `folder`, in place of an earlier report's.

    A report may be written into a folder of other people's files; those stay where they are.
    """
    place = _place(store, name)
    beside = place.with_name(f".report.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        for path in files:
            copy = beside / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        shutil.rmtree(place, ignore_errors=True)
        beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def kept_report(store: Store, name: str) -> tuple[Path, str] | None:
    """The folder of the report that is kept, and a digest of all that is in it."""
    place = _place(store, name)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    if not files:
        return None
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(place)}\0{sha256_of(path)}\0".encode())
    return place, digest.hexdigest()[:32]


def _place(store: Store, name: str) -> Path:
    return sweep_folder(store, name) / "report"
