"""The store's own MLflow database: made whole or not at all, and set aside where it is damaged."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from orchestrator.store.store import Store

# What passes by itself, or concerns the disk and not the file.
_PASSING = ("locked", "busy", "disk i/o", "is full", "readonly", "unable to open")
_MAKING = "mlflow.db.new-"


def default_uri(store: Store) -> str:
    """The SQLite file in the store."""
    return f"sqlite:///{database(store)}"


def database(store: Store) -> Path:
    """Where the store keeps the view, unless another server does."""
    return store.root / "mlflow.db"


def damage(path: Path) -> str:
    """What is wrong with the database in `path`, in a few words; empty if it can be used."""
    try:
        address = f"{path.absolute().as_uri()}?mode=rw"  # to read one that was killed is to mend it
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            (found,) = connection.execute("pragma quick_check(1)").fetchone()
            rows = connection.execute("select name from sqlite_master where type = 'table'")
            tables = {name for (name,) in rows}
    except sqlite3.Error as error:
        return "" if passes(error) else str(error)
    if found != "ok":
        return " ".join(str(found).split())
    if any(name.startswith("_alembic_tmp_") for name in tables) or "experiments" not in tables:
        return "its making was cut short"
    return ""


def passes(error: BaseException) -> bool:
    """Whether a database error says nothing about the file itself."""
    return any(words in str(error).lower() for words in _PASSING)


def set_aside(path: Path) -> Path:
    """Rename a database that cannot be used, and every sweep's note that it is up to date there.

    The caller holds the lock on the store's database.
    """
    taken = [
        int(end)
        for old in path.parent.glob(f"{path.name}.broken-*")
        if (end := old.name.rpartition("-")[2]).isdigit()
    ]
    aside = path.with_name(f"{path.name}.broken-{max(taken, default=0) + 1}")
    path.rename(aside)
    # A journal of the old file would be played back into the new one.
    for end in ("-journal", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    for mark in path.parent.glob("sweeps/*/tracked.mark"):
        mark.unlink(missing_ok=True)
    return aside


def make_whole(path: Path, migrate: Callable[[str], None]) -> None:
    """Let `migrate` fill a database of another name, then rename it to `path`.

    The first seconds of a database are dozens of migrations; killed in one of them it would be of
    no use for good. The caller holds the lock on the store's database.
    """
    for left in path.parent.glob(f"{_MAKING}*"):
        left.unlink(missing_ok=True)
    making = path.with_name(f"{_MAKING}{os.urandom(4).hex()}")
    migrate(f"sqlite:///{making}")
    making.replace(path)
