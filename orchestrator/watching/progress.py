"""Shows a run, on stderr: a live view on a terminal, plain lines in a pipe or CI."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, RenderableType
from rich.live import Live

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.watching.estimates import Estimates
from orchestrator.watching.features_seen import features_line, measured
from orchestrator.watching.from_run import RunWatch
from orchestrator.watching.lines import counts_words, running_lines
from orchestrator.watching.screen import counted_bar, screen
from orchestrator.watching.snapshot import Sights, Snapshot

Count = Callable[[int, int], None]
OnEnded = Callable[[StageOutcome], None]

_LIVE_EVERY = 1.0
_COUNT_EVERY = 0.2
_LINES_EVERY = 15.0


def is_plain(console: Console) -> bool:
    """Whether to print lines: where the console is a pipe, or `CI=true`."""
    return os.environ.get("CI", "").lower() in ("1", "true") or not console.is_terminal


def make_progress(on_ended: OnEnded = lambda outcome: None) -> Progress:
    """The live view on a terminal, plain lines elsewhere; `on_ended` hears of each stage's end."""
    console = Console(stderr=True, highlight=False)
    return Progress(console, live=not is_plain(console), on_ended=on_ended)


class Progress:
    """Shows one run. Thread-safe as far as `Console` is.

    Args:
        console: where to.
        live: redraw a view in place; else print a line for each thing that happens.
        on_ended: called with what becomes of each stage.
    """

    def __init__(
        self, console: Console, *, live: bool, on_ended: OnEnded = lambda outcome: None
    ) -> None:
        self._on_ended = on_ended
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
        last, most = 0.0, 0
        shown = contextlib.ExitStack()
        live = shown.enter_context(_still(self._console)) if self._live else None

        def count(done: int, total: int) -> None:
            nonlocal last, most
            most = total
            every = _COUNT_EVERY if live else _LINES_EVERY
            if done < total and time.monotonic() - last < every:
                return
            last = time.monotonic()
            if live:
                live.update(counted_bar(what, done, total), refresh=True)
            else:
                self.say(f"{what}: {done} of {total}")

        with shown:
            yield count
        if live and most:
            self.say(f"{what}: {most}")

    @contextmanager
    def showing(
        self,
        record: SweepRecord,
        store: Store,
        frontier: Frontier,
        *,
        wanted: frozenset[str],
        missing: Iterable[str],
        estimates: Estimates,
    ) -> Iterator[None]:
        """Show the stages `wanted` while the block runs; the others than `missing` are done."""
        ran = frozenset(missing)
        watch = RunWatch(frontier, store, wanted=wanted, missing=ran)
        self._view = _View(watch, Sights(record, estimates, wanted))
        stop = threading.Event()
        show = self._show_live if self._live else self._show_lines
        thread = threading.Thread(target=show, args=(self._view, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
        seen = self._view.snapshot().features
        if ran and (line := features_line(measured(seen, store))):
            self.say(line)

    def ended(self, outcome: StageOutcome) -> None:
        """Take note of a stage's end."""
        self._on_ended(outcome)
        view = self._view
        if view is None:
            return
        view.watch.take(outcome)
        name = view.sights.name(outcome.key)
        if outcome.status == "failed":
            text = f"failed ({outcome.failure_class}) {name}: {outcome.message}"
            self._console.print(text, markup=False, soft_wrap=True, style="red")
        elif not self._live:
            counts = counts_words(view.snapshot())
            self.say(f"{counts}  done {name} ({outcome.seconds:.1f} s)")

    def _show_live(self, view: _View, stop: threading.Event) -> None:
        with _still(self._console) as live:
            live.update(self._drawn(view), refresh=True)
            while not stop.wait(_LIVE_EVERY):
                live.update(self._drawn(view), refresh=True)

    def _drawn(self, view: _View) -> RenderableType:
        return screen(
            view.snapshot(), height=self._console.size.height, width=self._console.size.width
        )

    def _show_lines(self, view: _View, stop: threading.Event) -> None:
        while not stop.wait(_LINES_EVERY):
            for line in running_lines(view.snapshot()):
                self.say(line)


def _still(console: Console) -> Live:
    """A display that is drawn when told to, and gone at the end."""
    # An engine silences stdout meanwhile; two parties replacing it would undo each other.
    return Live(
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )


@dataclass(frozen=True)
class _View:
    """What is known of the run, and how to look at it."""

    watch: RunWatch
    sights: Sights

    def snapshot(self) -> Snapshot:
        return self.sights.snapshot(self.watch.look())
