"""What a person sees while a sweep runs: a live table on a terminal, plain lines in a pipe or CI.

Everything goes to stderr. What running stages are at is read from their events in the store, so it
is the same for stages in other processes and on other machines.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.store.status import last_event
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord

Count = Callable[[int, int], None]

_LIVE_EVERY = 1.0
_LINES_EVERY = 15.0
_SHOWN = 12


def make_progress() -> Progress:
    """The live view on a terminal, plain lines where stderr is a pipe or `CI=true`."""
    console = Console(stderr=True, highlight=False)
    plain = os.environ.get("CI", "").lower() in ("1", "true") or not console.is_terminal
    return Progress(console, live=not plain)


class Progress:
    """Shows one run. Thread-safe as far as `Console` is.

    Args:
        console: where to.
        live: redraw a table in place; else print a line for each thing that happens.
    """

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._live = live
        self._view: _View | None = None

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"warning: {text}", markup=False, soft_wrap=True, style="yellow")

    @contextmanager
    def counting(self, what: str) -> Iterator[Count]:
        """Show a count of files or the like while the block runs."""
        last = 0.0

        def count(done: int, total: int) -> None:
            nonlocal last
            every = _LIVE_EVERY if self._live else _LINES_EVERY
            if done == total or time.monotonic() - last > every:
                last = time.monotonic()
                self.say(f"{what}: {done} of {total}")

        yield count

    @contextmanager
    def showing(
        self, record: SweepRecord, store: Store, frontier: Frontier, *, done: int
    ) -> Iterator[None]:
        """Show the sweep while the block runs; `done` stages were done before."""
        self._view = _View(record, store, frontier, done)
        stop = threading.Event()
        show = self._show_live if self._live else self._show_lines
        thread = threading.Thread(target=show, args=(self._view, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def ended(self, outcome: StageOutcome) -> None:
        """Take note of a stage's end."""
        view = self._view
        if view is None:
            return
        view.take(outcome)
        name = view.record.label(outcome.key)
        if outcome.status == "failed":
            self.say(f"failed ({outcome.failure_class}) {name}: {outcome.message}")
        elif not self._live:
            self.say(f"{view.counts()}  done {name} ({outcome.seconds:.1f} s)")

    def _show_live(self, view: _View, stop: threading.Event) -> None:
        # An engine silences stdout meanwhile; two parties replacing it would undo each other.
        with Live(
            view.table(),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live:
            while not stop.wait(_LIVE_EVERY):
                live.update(view.table(), refresh=True)

    def _show_lines(self, view: _View, stop: threading.Event) -> None:
        while not stop.wait(_LINES_EVERY):
            for name, event in view.running():
                self.say(f"{view.counts()}  running {name}: {event}")


class _View:
    """The numbers behind the display."""

    def __init__(self, record: SweepRecord, store: Store, frontier: Frontier, done: int) -> None:
        self.record = record
        self._store = store
        self._frontier = frontier
        self._total = done + frontier.size
        self._done = done
        self._failed = 0
        self._began = time.monotonic()
        self._planned = 0.0  # planned seconds of what ended here
        self._spent = 0.0  # and what it took

    def take(self, outcome: StageOutcome) -> None:
        if outcome.status == "failed":
            self._failed += 1
            return
        self._done += 1
        self._planned += max(self._frontier.task(outcome.key).seconds, 1e-9)
        self._spent += outcome.seconds

    def counts(self) -> str:
        blocked = len(self._frontier.blocked)
        parts = [f"{self._done} of {self._total} done"]
        parts += [f"{self._failed} failed"] if self._failed else []
        parts += [f"{blocked} blocked"] if blocked else []
        return ", ".join([*parts, *self._left()])

    def running(self) -> list[tuple[str, str]]:
        keys = sorted(self._frontier.running)
        return [(self.record.label(key), last_event(self._store, key)) for key in keys]

    def table(self) -> Table:
        table = Table(title=f"{self.record.name}: {self.counts()}", title_justify="left", box=None)
        table.add_column("running")
        table.add_column("at")
        shown = self.running()
        for name, event in shown[:_SHOWN]:
            table.add_row(escape(name), escape(event or "starting"))
        if len(shown) > _SHOWN:
            table.add_row(f"and {len(shown) - _SHOWN} more", "")
        return table

    def _left(self) -> list[str]:
        """Planned time of what is left, at the pace and the width seen so far."""
        if not self._spent:
            return []
        pace = self._spent / self._planned
        planned = sum(max(task.seconds, 1e-9) for task in self._frontier.unfinished())
        width = max(1.0, self._spent / (time.monotonic() - self._began))
        left = planned * pace / width
        return [f"about {in_words(left)} left"] if left > 1 else []


def in_words(seconds: float) -> str:
    """A duration, roughly: `40 s`, `12 min`, `3.5 h`, `2.1 d`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"
