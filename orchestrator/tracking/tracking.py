"""The MLflow view of a sweep: a thread that follows the store, and a rebuild at will.

`mlflow_writer` does the writing, with the same code while stages run and in `apollo sync`. A server
that is down delays the view and nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from apollo_core.errors import ApolloError
from apollo_core.redaction import redact
from orchestrator.files import read_json, write_atomically
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, sweep_folder
from orchestrator.tracking.kept_report import kept_report
from orchestrator.tracking.mlflow_writer import MlflowWriter
from orchestrator.tracking.tracking_database import database, default_uri
from orchestrator.tracking.unreachable import why_unreachable

# Long enough for whole batches, well within the half minute that the view may be late.
_EVERY = 10.0
# The end of a run waits for the last points as long as replicates get written, at most this long
# for one of them.
_PATIENCE = 8.0
_PATIENCE_IF_DOWN = 3.0
# A new database is dozens of migrations, all or nothing, and a busy machine is slow at them.
_PATIENCE_WITH_NEW = 60.0
_LOCK_WAIT = 30.0


class TrackingError(ApolloError):
    """The tracking server could not be written to; the store has everything."""


def sync(record: SweepRecord, store: Store, uri: str | None, *, final: bool = True) -> None:
    """Bring the view of a sweep up to date with the store, its last report included.

    Args:
        record: the sweep.
        store: where its results lie.
        uri: of the tracking server; None = `default_uri`.
        final: close the runs whose stages have ended.

    Raises:
        TrackingError: the server did not answer.
    """
    where = uri or default_uri(store)
    with _writing(record, store, where) as writer:
        writer.write(final=final)
        if report := kept_report(store, record.name):
            writer.attach_report(*report)
    _remember(record, store, where)


class Tracker:
    """Keeps the view up to date from a thread, until `close`; never raises and never holds up work.

    Args:
        record: the sweep.
        store: where its results grow.
        uri: of the tracking server; None = `default_uri`.
        warn: told once, by that thread, at the first try that fails while there is work.
    """

    def __init__(
        self,
        record: SweepRecord,
        store: Store,
        uri: str | None,
        *,
        warn: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._warn = warn
        self._warned = False
        self._record = record
        self._store = store
        self._uri = uri or default_uri(store)
        self._stop = threading.Event()
        self._problem = ""
        self._opened = False
        self._progress = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="tracking", daemon=True)
        self._thread.start()

    def close(self) -> str | None:
        """Write what is left and stop; return what to tell the user if the view is behind."""
        self._stop.set()
        self._progress = time.monotonic()
        while self._thread.is_alive() and time.monotonic() - self._progress < self._patience():
            self._thread.join(0.1)
        if self._thread.is_alive() and not self._problem:
            self._problem = "it does not answer"
        if not self._problem:
            return None
        return (
            f"the MLflow view at {redact(self._uri)} is behind ({self._problem}); nothing else is "
            "lost, `apollo sync SWEEP` brings it up to date"
        )

    def _patience(self) -> float:
        if self._problem:
            return _PATIENCE_IF_DOWN
        own = self._uri == default_uri(self._store)
        return _PATIENCE_WITH_NEW if own and not self._opened else _PATIENCE

    def _run(self) -> None:
        with contextlib.ExitStack() as held:
            locked = False
            writer: MlflowWriter | None = None
            while True:
                last = self._stop.is_set()
                try:
                    if not locked:
                        held.enter_context(_one_writer(self._record, self._store, timeout=0))
                        locked = True
                    writer = writer or MlflowWriter(self._record, self._store, self._uri)
                    self._opened = True
                    self._note()
                    writer.write(final=last, on_written=self._note)
                    self._problem = ""
                except Timeout:
                    pass  # another driver of this sweep on this store writes the view
                except Exception as error:
                    self._problem = why_unreachable(error)
                    if not last:
                        self._warn_once()
                if last:
                    break
                self._stop.wait(_EVERY)
        if locked and not self._problem:
            _remember(self._record, self._store, self._uri)

    def _warn_once(self) -> None:
        if not self._warned:
            self._warned = True
            self._warn(
                f"the MLflow view at {redact(self._uri)} cannot be written ({self._problem}); work "
                "goes on, and the view follows when it can"
            )

    def _note(self) -> None:
        self._progress = time.monotonic()


def is_tracked(record: SweepRecord, store: Store, uri: str | None) -> bool:
    """Whether the view has everything that is done by now."""
    if uri is None and not database(store).is_file():
        return False
    found = read_json(_mark(record, store)) or {}
    return found.get(redact(uri or default_uri(store))) == _content(record, store)


def _content(record: SweepRecord, store: Store) -> str:
    done = sorted(key for key in record.stages if store.is_done(key))
    return hashlib.sha256(json.dumps([record.model_dump_json(), done]).encode()).hexdigest()


def _mark(record: SweepRecord, store: Store) -> Path:
    return sweep_folder(store, record.name) / "tracked.mark"


def _remember(record: SweepRecord, store: Store, uri: str) -> None:
    path = _mark(record, store)
    known = read_json(path) or {}
    known[redact(uri)] = _content(record, store)
    write_atomically(path, json.dumps(known), durable=False)


@contextlib.contextmanager
def _writing(record: SweepRecord, store: Store, uri: str) -> Iterator[MlflowWriter]:
    try:
        with _one_writer(record, store, timeout=_LOCK_WAIT):
            yield MlflowWriter(record, store, uri)
    except Timeout:
        raise TrackingError(f"another process is writing the view of {record.name}") from None
    except Exception as error:
        raise TrackingError(
            f"the tracking server {redact(uri)} cannot be written to: {why_unreachable(error)}; "
            "the store has everything, so sync again when it is back"
        ) from error


@contextlib.contextmanager
def _one_writer(record: SweepRecord, store: Store, *, timeout: float) -> Iterator[None]:
    folder = sweep_folder(store, record.name)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "tracking.lock", timeout=timeout):
        yield
