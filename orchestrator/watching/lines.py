"""A snapshot in plain lines: for pipes, logs and CI."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.watching.features_seen import features_line
from orchestrator.watching.screen import counts_line, left_words, saved_line
from orchestrator.watching.sighting import Sighting
from orchestrator.watching.snapshot import Row, Snapshot
from orchestrator.watching.words import counted, in_words


def counts_words(snapshot: Snapshot) -> str:
    """Counts and the time left, in one line without a name."""
    left = left_words(snapshot.left)
    return f"{counts_line(snapshot)}{', ' + left if left else ''}"


def running_lines(snapshot: Snapshot) -> Iterator[str]:
    """A line for each stage that a worker is at; while no worker is, one line that says so."""
    placed = [row for row in snapshot.running if row.placed]
    for row in placed:
        yield f"{counts_words(snapshot)}  running {row.name}: {_at(row)}"
    if snapshot.running and not placed:
        queued = counted(len(snapshot.running), "stage")
        yield f"{counts_words(snapshot)}  {queued} queued, no worker has begun yet"


def status_lines(snapshot: Snapshot) -> Iterator[str]:
    """All that a snapshot says: counts, what runs, what failed and why."""
    yield f"{snapshot.name}: {counts_words(snapshot)}"
    if saved := saved_line(snapshot):
        yield f"  {saved}"
    if features := features_line(snapshot.features):
        yield f"  {features}"
    if snapshot.next_waiting:
        yield f"  {snapshot.next_waiting}"
    for row in snapshot.running:
        yield f"  running {row.name}: {_at(row)}"
    for name, problem in snapshot.failures:
        yield f"  failed  {name}: {problem}"


def _at(row: Row) -> str:
    if not row.placed:
        return "queued"
    return in_words_of(row.sighting) or "starting"


def in_words_of(seen: Sighting) -> str:
    """Step, loss and time left of a stage; empty before its first event."""
    if not seen.step:
        return ""
    loss = f", loss {seen.loss:.3f}" if seen.loss is not None else ""
    left = f", about {in_words(seen.left)} left" if seen.left and seen.left > 1 else ""
    return f"step {seen.step} of {seen.steps or '?'}{loss}{left}"
