"""`apollo pull`: finished stages from an object store into the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

from orchestrator.canonical import digest
from orchestrator.exchange.bucket import Bucket, persistently
from orchestrator.exchange.done import DamagedError, StageFile, files_of
from orchestrator.exchange.moving import Moved, OnProgress, Report, move_all
from orchestrator.files import sha256_of, sync_file, write_atomically
from orchestrator.store import lease
from orchestrator.store.store import PULLED, Store
from orchestrator.store.sweep_record import sweep_folder

_LATEST = "latest.json"


def pull(
    keys: Iterable[str], store: Store, bucket: Bucket, *, workers: int, on_progress: OnProgress
) -> Report:
    """Bring the stages that are finished there and not here; DONE is written last.

    Every file must be what DONE says, and the stage's identity must hash to its key. Stopped, the
    same again goes on: files that have arrived whole are not fetched again.

    Raises:
        BadInput: no such bucket, or no access.
    """
    return move_all(
        keys, lambda key: _pull(key, store, bucket), workers=workers, on_progress=on_progress
    )


def pull_records(sweep: str, store: Store, bucket: Bucket) -> None:
    """Bring what is known there of a sweep; which one ran last here stays as it is."""
    folder = sweep_folder(store, sweep)
    # The latest comes last: a record that it names is then there.
    for name in sorted(bucket.records(sweep), key=lambda name: name == _LATEST):
        if (folder / name).is_file():
            continue
        content = bucket.record(sweep, name)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / name, content.decode())


def _pull(key: str, store: Store, bucket: Bucket) -> Moved:
    if store.is_done(key):
        return Moved("there")
    done = bucket.done(key)
    if done is None:
        return Moved("absent")
    held = lease.try_acquire(store.attempts_folder(key), lease.Watch())
    if held is None:
        return Moved("busy")
    try:
        if store.is_done(key):
            return Moved("there")
        return _fetch(key, done, held, store, bucket)
    finally:
        held.release()


def _fetch(key: str, done: bytes, held: lease.Lease, store: Store, bucket: Bucket) -> Moved:
    folder = store.attempts_folder(key) / PULLED
    files = files_of(done, where=f"{bucket.name}/stages/{key}/DONE")
    came = 0
    for file in files:
        held.check()
        if _is_here(folder / file.name, file):
            continue
        _bring(folder / file.name, bucket.place(key, file), file, bucket)
        came += file.bytes
    _require_identity(key, folder, bucket)
    _remove_others(folder, files)
    store.adopt(key, held, folder, done.decode())
    return Moved("moved", came)


def _is_here(path: Path, file: StageFile) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and sha256_of(path) == file.sha256


def _bring(path: Path, name: str, file: StageFile, bucket: Bucket) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    try:
        persistently(lambda: bucket.objects.download(name, beside))
    except FileNotFoundError:
        raise DamagedError(
            f"{bucket.name}/{name} ({file.name}): missing there; push the stage again"
        ) from None
    if not _is_here(beside, file):
        beside.unlink(missing_ok=True)
        raise DamagedError(
            f"{bucket.name}/{name} ({file.name}): its bytes are not those that were pushed, so the "
            "stage was not taken; remove that object there, push the stage again, then pull"
        )
    beside.replace(path)
    sync_file(path)


def _require_identity(key: str, folder: Path, bucket: Bucket) -> None:
    """Refuse a stage that lies under a key that is not its own."""
    try:
        payload = json.loads((folder / "identity.json").read_text(encoding="utf-8"))
        found = digest(payload)
    except (OSError, ValueError, TypeError):
        found = "none"
    if found != key:
        raise DamagedError(
            f"{bucket.name}/stages/{key}: its identity.json belongs to another stage "
            f"({found[:12]}), so it was not taken; remove that folder there"
        )


def _remove_others(folder: Path, files: Iterable[StageFile]) -> None:
    """What an earlier pull of another result under this key has left."""
    wanted = {file.name for file in files}
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            shutil.rmtree(path)
