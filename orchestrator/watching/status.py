"""`apollo status` for people: one look from any terminal, or a view that follows the sweep."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console
from rich.live import Live

from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.watching.estimates import kept_estimates
from orchestrator.watching.features_seen import measured
from orchestrator.watching.from_store import StoreWatch
from orchestrator.watching.lines import status_lines
from orchestrator.watching.progress import is_plain
from orchestrator.watching.screen import failure_lines, screen
from orchestrator.watching.snapshot import Sights, Snapshot

_EVERY = 2.0
_EVERY_PLAIN = 30.0


def show_status(record: SweepRecord, store: Store) -> None:
    """Print the sweep as it is now."""
    console = Console(highlight=False)
    _print(console, _whole(next(_snapshots(record, store)), store))


def watch_status(record: SweepRecord, store: Store) -> None:
    """Show the sweep until nothing is left to do, or until interrupted."""
    console = Console(highlight=False)
    snapshots = _snapshots(record, store)
    try:
        last = _followed(console, snapshots) if is_plain(console) else _live(console, snapshots)
    except KeyboardInterrupt:
        return
    _print(console, _whole(last, store))


def _whole(snapshot: Snapshot, store: Store) -> Snapshot:
    """With what costs too much to be looked at again and again."""
    return replace(snapshot, features=measured(snapshot.features, store))


def _snapshots(record: SweepRecord, store: Store) -> Iterator[Snapshot]:
    sights = Sights(record, kept_estimates(store, record.name))
    watch = StoreWatch(record, store)
    while True:
        yield sights.snapshot(watch.look())


def _live(console: Console, snapshots: Iterator[Snapshot]) -> Snapshot:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        for snapshot in snapshots:
            if snapshot.left is None:
                return snapshot
            height, width = console.size.height, console.size.width
            live.update(screen(snapshot, height=height, width=width), refresh=True)
            time.sleep(_EVERY)
    raise AssertionError("snapshots never end")


def _followed(console: Console, snapshots: Iterator[Snapshot]) -> Snapshot:
    for snapshot in snapshots:
        if snapshot.left is None:
            return snapshot
        _print(console, snapshot)
        time.sleep(_EVERY_PLAIN)
    raise AssertionError("snapshots never end")


def _print(console: Console, snapshot: Snapshot) -> None:
    if is_plain(console):
        for line in status_lines(snapshot):
            console.print(line, markup=False, soft_wrap=True)
        return
    # Nothing is cut off here: one can scroll.
    console.print(screen(snapshot, height=10_000, width=console.size.width))
    for line in failure_lines(snapshot):
        console.print(line, soft_wrap=True)
