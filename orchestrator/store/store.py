"""The store: finished stages by key, and what it took to finish them. The only source of truth.

    <store>/stages/<key>/    result files, identity.json, provenance.json, metrics.jsonl, DONE
    <store>/attempts/<key>/  lease.json, failures.jsonl, work-<epoch>/ of the attempt under way,
                             checkpoints/ that a later attempt goes on from, until the stage is done
    <store>/features/<key>/  what frozen encoders make of media: may be deleted at any time
    <store>/sweeps/<name>/   each sweep file that ran, by hash, and what it planned

A result is built under `attempts` and renamed into `stages`; `DONE` comes last and lists every file
with its size and sha256. A stage without `DONE` does not exist: what an interrupted publication
left is replaced.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from apollo_core.errors import BadInput, StageFailed
from orchestrator.files import (
    read_json,
    read_json_lines,
    sha256_of,
    sync_file,
    sync_folder,
    write_atomically,
)
from orchestrator.store import failures, lease

DEFAULT_STORE = "out/store"
# Folder of an attempt that a stage comes into from a bucket; a pull that was stopped goes on there.
PULLED = "pulled"

_FOLDERS = ("stages", "attempts", "sweeps", "features", "worlds", "remote")
_DONE = "DONE"
_IDENTITY = "identity.json"
_PROVENANCE = "provenance.json"
_METRICS = "metrics.jsonl"
_RESERVED = (_DONE, _IDENTITY, _PROVENANCE, _METRICS)

JsonObject = dict[str, JsonValue]


@dataclass(frozen=True)
class Work:
    """Places of one attempt: `out` is the stage's to fill, `metrics` grows while it runs."""

    folder: Path

    @property
    def out(self) -> Path:
        """An empty folder for the result files."""
        return self.folder / "out"

    @property
    def metrics(self) -> Path:
        """The events, one JSON object a line."""
        return self.folder / _METRICS


class Store:
    """A store on a local or shared POSIX filesystem. Opening it writes nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def features(self) -> Path:
        """Where features of frozen encoders lie: a side cache, never a parent of a stage."""
        return self.root / "features"

    # Reading

    @property
    def is_there(self) -> bool:
        """Whether the folder is a store: it has one of a store's folders."""
        return any((self.root / name).is_dir() for name in _FOLDERS)

    def stage_folder(self, key: str) -> Path:
        """Where the result of `key` lies once it is done."""
        return self.root / "stages" / key

    def attempts_folder(self, key: str) -> Path:
        """Where the attempts at `key` leave their traces."""
        return self.root / "attempts" / key

    def checkpoints_folder(self, key: str) -> Path:
        """Where the state of a stage under way is kept for its next attempt; may not exist."""
        return self.attempts_folder(key) / "checkpoints"

    def logs_of_attempts(self, key: str) -> list[Path]:
        """The events of attempts that are over and whose folders are still there, oldest first."""
        folders = self.attempts_folder(key).glob("work-*")
        return [Work(each).metrics for each in sorted(folders, key=_epoch)]

    def is_done(self, key: str) -> bool:
        """Whether the stage is finished, with every file there at its full size."""
        folder = self.stage_folder(key)
        done = read_json(folder / _DONE)
        return done is not None and not any(_damage(folder, done, checksums=False))

    def done_keys(self) -> list[str]:
        """Keys of all finished stages."""
        folder = self.root / "stages"
        if not folder.is_dir():
            return []
        return sorted(stage.name for stage in folder.iterdir() if self.is_done(stage.name))

    def result(self, key: str) -> Path:
        """The folder of a finished stage.

        Raises:
            BadInput: the stage is not finished here.
        """
        if not self.is_done(key):
            raise BadInput(f"store {self.root}: stage {key[:12]} is not done here; run its sweep")
        return self.stage_folder(key)

    def verify(self, key: str) -> list[str]:
        """What is wrong with a finished stage's files, their checksums included; [] if nothing."""
        folder = self.stage_folder(key)
        done = read_json(folder / _DONE)
        return list(_damage(folder, done, checksums=True)) if done else [f"{key}: not done"]

    def done_file(self, key: str) -> Path:
        """What comes last in a finished stage: every other file of it, with size and sha256."""
        return self.stage_folder(key) / _DONE

    def identity(self, key: str) -> JsonObject | None:
        """The payload that the key was made from, of a finished stage."""
        return read_json(self.stage_folder(key) / _IDENTITY)

    def provenance(self, key: str) -> JsonObject | None:
        """Where, when and with what a finished stage was made."""
        return read_json(self.stage_folder(key) / _PROVENANCE)

    def metrics_path(self, key: str) -> Path:
        """The events of a finished stage or of the attempt under way; may not exist yet."""
        finished = self.stage_folder(key) / _METRICS
        if finished.exists():
            return finished
        held = lease.read_lease(self.attempts_folder(key))
        return self._work(key, held.epoch if held else 0).metrics

    def metrics(self, key: str) -> list[JsonObject]:
        """All events so far, oldest first."""
        return read_json_lines(self.metrics_path(key))

    def failures(self, key: str) -> list[failures.Failure]:
        """All failed attempts, oldest first."""
        return failures.recorded(self.attempts_folder(key))

    def chain(self, previous: str | None) -> tuple[Path, ...]:
        """Results of all training stages up to and including `previous`, oldest first."""
        folders: list[Path] = []
        while previous is not None:
            folders.insert(0, self.result(previous))
            parents = (self.identity(previous) or {}).get("parents")
            found = parents.get("previous") if isinstance(parents, dict) else None
            previous = found if isinstance(found, str) else None
        return tuple(folders)

    # Writing

    def prepare(self) -> None:
        """Make the store's folders and prove that they can be written.

        Raises:
            BadInput: they cannot.
        """
        try:
            for name in ("stages", "attempts", "sweeps"):
                (self.root / name).mkdir(parents=True, exist_ok=True)
                write_atomically(self.root / name / ".writable", "", durable=False)
                (self.root / name / ".writable").unlink(missing_ok=True)
        except OSError as error:
            raise BadInput(
                f"store {self.root}: cannot be written ({error.strerror}); choose another folder "
                "with --store or $APOLLO_STORE"
            ) from error

    def begin(self, key: str, held: lease.Lease) -> Work:
        """Make the empty work folder of an attempt; remove those of attempts that are over."""
        for old in self.attempts_folder(key).glob("work-*"):
            shutil.rmtree(old, ignore_errors=True)
        work = self._work(key, held.epoch)
        work.out.mkdir(parents=True)
        return work

    def publish(
        self,
        key: str,
        held: lease.Lease,
        work: Work,
        *,
        payload: JsonObject,
        provenance: JsonObject,
    ) -> None:
        """Turn an attempt's `out` into the finished stage.

        Raises:
            LeaseLost: another driver has taken over; nothing was published.
            StageFailed: the stage left a file under a name that belongs to the store.
        """
        for name in _RESERVED:
            if (work.out / name).exists():
                raise StageFailed(f"a stage must not write {name}: that name is the store's")
        _write_json(work.out / _IDENTITY, payload)
        _write_json(work.out / _PROVENANCE, provenance)
        work.metrics.touch()
        work.metrics.rename(work.out / _METRICS)
        files = {name: _described(work.out / name) for name in _names(work.out)}
        self.adopt(key, held, work.out, json.dumps({"files": files}, sort_keys=True))
        shutil.rmtree(work.folder, ignore_errors=True)

    def adopt(self, key: str, held: lease.Lease, folder: Path, done: str) -> None:
        """Make `folder`, whole and durable, the finished stage; `done` is what its DONE says.

        Raises:
            LeaseLost: another driver has taken over; nothing was published.
        """
        with held.guard():
            place = self.stage_folder(key)
            if place.exists():
                shutil.rmtree(place)
            folder.rename(place)
            sync_folder(place.parent)
            write_atomically(place / _DONE, done)

    def remove(self, key: str) -> int:
        """Remove a stage and its attempts; return the bytes that were freed."""
        freed = 0
        for folder in (self.stage_folder(key), self.attempts_folder(key)):
            freed += folder_bytes(folder)
            # Without DONE first, a half-removed stage would pass for a finished one.
            (folder / _DONE).unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        return freed

    def _work(self, key: str, epoch: int) -> Work:
        return Work(self.attempts_folder(key) / f"work-{epoch}")


def open_store(root: str | Path | None) -> Store:
    """The store at `root`, else at `$APOLLO_STORE`, else at `out/store`.

    Raises:
        BadInput: there is something there that cannot be a store.
    """
    store = Store(Path(root or os.environ.get("APOLLO_STORE") or DEFAULT_STORE).absolute())
    try:
        if store.root.exists():
            next(store.root.iterdir(), None)
    except OSError as error:
        raise BadInput(
            f"store {store.root}: cannot be read ({error.strerror}); choose a folder with --store "
            "or $APOLLO_STORE"
        ) from error
    return store


def folder_bytes(folder: Path) -> int:
    """Size of all files under `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _epoch(work: Path) -> int:
    text = work.name.rpartition("-")[2]
    return int(text) if text.isdigit() else 0


def _names(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def _described(path: Path) -> JsonObject:
    sync_file(path)
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _damage(folder: Path, done: JsonObject, *, checksums: bool) -> Iterator[str]:
    files = done.get("files")
    if not isinstance(files, dict):
        yield f"{folder / _DONE}: lists no files"
        return
    for name, told in files.items():
        path = folder / name
        said = told if isinstance(told, dict) else {}
        if not path.is_file():
            yield f"{path}: missing"
        elif path.stat().st_size != said.get("bytes"):
            yield f"{path}: {path.stat().st_size} bytes, {said.get('bytes')} when it was stored"
        elif checksums and sha256_of(path) != said.get("sha256"):
            yield f"{path}: its bytes have changed since it was stored"


def _write_json(path: Path, value: JsonObject) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
