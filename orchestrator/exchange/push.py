"""`apollo push`: finished stages from the store to an object store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.exchange.bucket import DONE, Bucket, is_record, persistently
from orchestrator.exchange.done import DamagedError, StageFile, files_of
from orchestrator.exchange.moving import Moved, OnProgress, Report, move_all
from orchestrator.files import sha256_of
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import sweep_folder


def push(
    keys: Iterable[str], store: Store, bucket: Bucket, *, workers: int, on_progress: OnProgress
) -> Report:
    """Copy the finished ones among these stages; a stage that is there is left as it is.

    A file is hashed before it goes and must be what DONE says. Stopped, the same again goes on:
    objects that are there at their full size are not sent again, since their name is their content.

    Raises:
        BadInput: no such bucket, or no access.
    """
    return move_all(
        keys, lambda key: _push(key, store, bucket), workers=workers, on_progress=on_progress
    )


def push_records(sweep: str, store: Store, bucket: Bucket) -> None:
    """Copy what the store remembers of a sweep: its files that ran, and their records."""
    there = set(bucket.records(sweep))
    folder = sweep_folder(store, sweep)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if is_record(path.name) and (path.name == "latest.json" or path.name not in there):
            bucket.keep_record(sweep, path.name, path.read_bytes())


def _push(key: str, store: Store, bucket: Bucket) -> Moved:
    if not store.is_done(key):
        return Moved("absent")
    there = bucket.sizes(key)
    if DONE in there and not _lacking(_files_there(key, bucket), there):
        return Moved("there")
    files = files_of(store.done_file(key).read_bytes(), where=str(store.done_file(key)))
    lacking = _lacking(files, there)
    for file in lacking:
        _send(key, file, store, bucket)
    if cut := _lacking(files, bucket.sizes(key)):
        name = f"{bucket.name}/{bucket.place(key, cut[0])} ({cut[0].name})"
        raise DamagedError(f"{name}: did not arrive at its full size; push again")
    done = store.done_file(key).read_bytes()
    persistently(lambda: bucket.objects.write(f"stages/{key}/{DONE}", done))
    return Moved("moved", sum(file.bytes for file in lacking))


def _files_there(key: str, bucket: Bucket) -> tuple[StageFile, ...]:
    return files_of(bucket.done(key) or b"", where=f"{bucket.name}/stages/{key}/{DONE}")


def _lacking(files: Iterable[StageFile], there: Mapping[str, int]) -> list[StageFile]:
    """Those of a stage's files that are not there at their full size."""
    return [file for file in files if there.get(file.sha256) != file.bytes]


def _send(key: str, file: StageFile, store: Store, bucket: Bucket) -> None:
    path = store.stage_folder(key) / file.name
    if sha256_of(path) != file.sha256:
        raise DamagedError(
            f"{path}: its bytes have changed since it was stored, so it was not pushed; remove "
            f"{path.parent} and run the sweep again"
        )
    persistently(lambda: bucket.objects.upload(path, bucket.place(key, file)))
