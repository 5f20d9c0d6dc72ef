"""The store's filesystem: leases and results rest on its locks, renames and times."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from orchestrator.checkup.finding import Finding, broken, ok, warning
from orchestrator.files import sync_folder

_LEAST_FREE = 1 << 30
_MOST_SKEW = 30.0
_LOCAL = "put the store on a local disk, or on a shared filesystem that has it, with --store"
# Object stores in a filesystem's clothes rename by copying and have no locks.
_NOT_POSIX = ("fuse.s3fs", "fuse.gcsfuse", "fuse.goofys", "fuse.mount-s3", "fuse.rclone")


def store_filesystem(store: Path) -> Iterator[Finding]:
    """What the store needs of the filesystem under it, tried in a folder that is removed again."""
    folder = nearest_folder(store)
    free = shutil.disk_usage(folder).free
    kind, options = _mount(folder)
    text = f"store {store}: {free / 1e9:.1f} GB free, on {kind}"
    yield ok(text) if free > _LEAST_FREE else broken(text, "make room, or choose another --store")
    if kind in _NOT_POSIX:
        yield broken(f"{kind} has no locks and no renames", _LOCAL)
    if kind == "tmpfs":
        yield warning("the store is in memory", "choose a --store on a disk: it goes with a reboot")
    if {"nolock", "local_lock=all", "local_lock=flock"} & set(options):
        mend = "mount it without nolock and local_lock, or run on one machine only"
        yield broken("other hosts do not see this mount's locks", mend)
    try:
        trial = Path(tempfile.mkdtemp(prefix=".doctor-", dir=folder))
    except OSError as error:
        mend = "give yourself write access, or choose another folder with --store"
        yield broken(f"store {store}: cannot be written ({error.strerror})", mend)
        return
    try:
        yield from (_locks(trial), _renames(trial), _clock(trial))
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def nearest_folder(path: Path) -> Path:
    """The folder itself, or the nearest above it that exists."""
    folder = path.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _locks(trial: Path) -> Finding:
    """A lock that is held must be refused to everybody else."""
    try:
        with FileLock(trial / "lock", timeout=5):
            try:
                with FileLock(trial / "lock", timeout=0, is_singleton=False):
                    return broken("the store's filesystem gives one lock to two holders", _LOCAL)
            except Timeout:
                return ok("locks hold")
    except (OSError, NotImplementedError, Timeout) as error:
        return broken(f"the store's filesystem has no locks ({error})", _LOCAL)


def _renames(trial: Path) -> Finding:
    """A folder renamed, a file replaced, both made durable: how a result is published."""
    try:
        (trial / "a").mkdir()
        (trial / "a" / "file").write_text("1")
        (trial / "a").rename(trial / "b")
        (trial / "new").write_text("2")
        (trial / "new").replace(trial / "b" / "file")
        sync_folder(trial)
        whole = (trial / "b" / "file").read_text() == "2"
    except OSError as error:
        return broken(f"the store's filesystem cannot rename durably ({error.strerror})", _LOCAL)
    if not whole:
        return broken("a file replaced in the store keeps its old content", _LOCAL)
    return ok("renames are whole and durable")


def _clock(trial: Path) -> Finding:
    """Its server's clock against ours: what a status shows of heartbeats depends on it."""
    path = trial / "clock"
    path.write_text("")
    skew = path.stat().st_mtime - time.time()
    if abs(skew) > _MOST_SKEW:
        text = f"the store's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
        return warning(text, "set both by NTP (chrony, systemd-timesyncd)")
    return ok("the store's clock agrees with ours")


def _mount(folder: Path) -> tuple[str, list[str]]:
    """Type and options of the filesystem under a folder."""
    best, found = "", ("an unknown filesystem", [""])
    with suppress(OSError):
        for line in Path("/proc/self/mounts").read_text().splitlines():
            _, place, kind, options, *_ = line.split()
            place = place.encode().decode("unicode_escape")
            inside = place == "/" or f"{folder}{os.sep}".startswith(f"{place}{os.sep}")
            if inside and len(place) >= len(best):
                best, found = place, (kind, options.split(","))
    return found
