"""Who may work on a stage: one owner at a time, over a shared POSIX filesystem.

`attempts/<key>/lease.json` names the owner and carries an epoch (a fencing token that only grows)
and a heartbeat count. Every change happens under a file lock. A lease is stale

- at once, when its owner ran on this machine and that process is gone;
- else when its heartbeat has not moved for `STALE_AFTER` seconds on the *watcher's* clock: the
  clocks of two hosts need not agree.

An owner that cannot refresh its heartbeat for that long counts its own lease as lost, before
anybody else could have taken it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from filelock import FileLock

from apollo_core.errors import LeaseLost
from orchestrator.files import read_json, write_atomically

HEARTBEAT_EVERY = 2.0
STALE_AFTER = 15.0
_LOCK_TIMEOUT = 60.0


@dataclass(frozen=True)
class LeaseRecord:
    """What `lease.json` says.

    Attributes:
        owner: unique name of the holder.
        machine: where it runs; process ids mean something only there.
        pid: its process.
        epoch: grows by one with each acquisition: the attempt's number.
        beat: grows by one with each heartbeat.
        time: when the last heartbeat was written, by the owner's clock (for people only).
        held: False once the owner gave it back.
    """

    owner: str
    machine: str
    pid: int
    epoch: int
    beat: int
    time: float
    held: bool


def read_lease(folder: Path) -> LeaseRecord | None:
    """The lease in an attempts folder; None when there never was one."""
    found = read_json(folder / "lease.json")
    if found is None:
        return None
    try:
        return LeaseRecord(**found)  # pyright: ignore[reportArgumentType]
    except TypeError:
        return None


def looks_alive(lease: LeaseRecord | None) -> bool:
    """Whether somebody seems to be at work: one look, for displays, not for fencing."""
    if lease is None or not lease.held or _owner_is_gone(lease):
        return False
    return time.time() - lease.time < STALE_AFTER


class Watch:
    """Decides when a lease seen repeatedly has gone stale."""

    def __init__(self, stale_after: float = STALE_AFTER) -> None:
        self._stale_after = stale_after
        self._seen: tuple[str, int, int] | None = None
        self._since = 0.0

    def is_free(self, lease: LeaseRecord | None) -> bool:
        """Whether the lease may be taken now."""
        if lease is None or not lease.held or _owner_is_gone(lease):
            return True
        sign = (lease.owner, lease.epoch, lease.beat)
        now = time.monotonic()
        if sign != self._seen:
            self._seen, self._since = sign, now
        return now - self._since > self._stale_after


class Lease:
    """A lease that this process holds, kept fresh by a thread until `release`."""

    def __init__(self, folder: Path, record: LeaseRecord, taken_from: LeaseRecord | None) -> None:
        self._folder = folder
        self._record = record
        self.taken_from = taken_from  # the holder that disappeared, if there was one
        self._lost = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease", daemon=True)
        self._thread.start()

    @property
    def epoch(self) -> int:
        """The fencing token; also the number of this attempt."""
        return self._record.epoch

    @property
    def is_lost(self) -> bool:
        """Whether another owner took over, or may have."""
        return self._lost.is_set()

    def check(self) -> None:
        """Raise `LeaseLost` when the stage is no longer ours."""
        if self._lost.is_set():
            raise LeaseLost(f"{self._folder.name}: another driver has taken this stage over")

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Hold the lock, with the lease proven ours: nobody can take it over meanwhile."""
        with _locked(self._folder):
            if not self._is_ours():
                self._lost.set()
            self.check()
            yield

    def release(self) -> None:
        """Stop the heartbeat, then give the lease back if it is still ours.

        Where it cannot be written (a full disk), it goes stale: what the stage came to still holds.
        """
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(OSError), _locked(self._folder):
            if self._is_ours():
                self._write(replace(self._record, held=False))

    def _is_ours(self) -> bool:
        found = read_lease(self._folder)
        return found is not None and (found.owner, found.epoch) == (
            self._record.owner,
            self._record.epoch,
        )

    def _write(self, record: LeaseRecord) -> None:
        self._record = replace(record, beat=record.beat + 1, time=time.time())
        _write(self._folder, self._record)

    def _beat(self) -> None:
        fresh = time.monotonic()
        while not self._stop.wait(HEARTBEAT_EVERY):
            started = time.monotonic()
            try:
                with self.guard():
                    self._write(self._record)
                fresh = started
            except LeaseLost:
                return
            except (OSError, TimeoutError):
                # A full disk or a slow server may pass; a lease that others count as stale may not.
                if time.monotonic() - fresh > STALE_AFTER:
                    self._lost.set()
                    return


def try_acquire(folder: Path, watch: Watch) -> Lease | None:
    """Take the stage whose attempts folder this is; None while somebody else is at work on it."""
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        found = read_lease(folder)
        if not watch.is_free(found):
            return None
        record = LeaseRecord(
            owner=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(6).hex()}",
            machine=machine(),
            pid=os.getpid(),
            epoch=found.epoch + 1 if found else 1,
            beat=0,
            time=time.time(),
            held=True,
        )
        _write(folder, record)
    return Lease(folder, record, taken_from=found if found and found.held else None)


def _write(folder: Path, record: LeaseRecord) -> None:
    text = json.dumps(asdict(record), sort_keys=True)
    write_atomically(folder / "lease.json", text, durable=False)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with FileLock(folder / "lock", timeout=_LOCK_TIMEOUT):
        yield


def _owner_is_gone(lease: LeaseRecord) -> bool:
    if lease.machine != machine():
        return False
    try:
        os.kill(lease.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _has_exited(lease.pid)


def _has_exited(pid: int) -> bool:
    """Whether a process is over though its number is still taken: nobody has asked for its end.

    That lasts long where a container's first process collects no orphans.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] in ("Z", "X")


@cache
def machine() -> str:
    """This boot of this machine, and the container: where a process id has one meaning."""
    parts = [socket.gethostname()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    if boot.exists():
        parts.append(boot.read_text(encoding="ascii").strip())
    if namespace.is_symlink():
        parts.append(str(namespace.readlink()))
    return "/".join(parts)
