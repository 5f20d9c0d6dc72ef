"""A snapshot on a terminal, as wide as it is and no higher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from orchestrator.watching.features_seen import features_line
from orchestrator.watching.snapshot import Row, Snapshot
from orchestrator.watching.time_left import State, TimeLeft
from orchestrator.watching.words import counted, flops_in_words, in_words

_STYLES: Mapping[State, str] = {
    "done": "green",
    "running": "cyan",
    "failed": "red",
    "blocked": "red",
    "waiting": "bright_black",
}
_ORDER: tuple[State, ...] = ("done", "running", "failed", "blocked", "waiting")
# What was never begun is thin, so that the bar can be read without colours.
_THIN = ("blocked", "waiting")
# Lines of the view beside the running stages, and how many of these a low terminal still shows.
_FRAME, _FEWEST = 10, 2
_WIDE = 100


def screen(snapshot: Snapshot, *, height: int, width: int) -> RenderableType:
    """The view of a sweep that is under way, `height` lines at most."""
    shown = max(_FEWEST, height - _FRAME)
    rows = snapshot.running[:shown]
    parts: list[RenderableType] = [Text(), _head(snapshot), Bar(snapshot.shares)]
    parts.append(Text(counts_line(snapshot), no_wrap=True, overflow="ellipsis"))
    parts += [
        Text(line, style="bright_black", no_wrap=True, overflow="ellipsis")
        for line in (
            saved_line(snapshot),
            features_line(snapshot.features),
            snapshot.next_waiting,
        )
        if line
    ]
    if rows:
        parts += [Text(), _table(rows, wide=width >= _WIDE)]
    if len(snapshot.running) > shown:
        parts.append(Text(f"and {len(snapshot.running) - shown} more", style="bright_black"))
    return Group(*parts)


def counted_bar(what: str, done: int, total: int) -> Table:
    """A count with its bar, in one line."""
    share = done / total if total else 0.0
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(no_wrap=True)
    table.add_row(what, Bar({"running": share, "waiting": 1 - share}), f"{done}/{total}")
    return table


def counts_line(snapshot: Snapshot) -> str:
    """`14 of 58 stages done, 2 running, 41 waiting, 1 failed`."""
    counts = snapshot.counts
    parts = [f"{counts.get('done', 0)} of {counted(snapshot.total, 'stage')} done"]
    for state in ("running", "waiting", "failed", "blocked"):
        if counts.get(state):
            parts.append(f"{counts[state]} {state}{' by them' if state == 'blocked' else ''}")
    return ", ".join(parts)


def saved_line(snapshot: Snapshot) -> str:
    """What sharing has saved so far; empty while it is nothing."""
    saved = snapshot.saved
    if not saved.stages:
        return ""
    parts = [f"{counted(saved.stages, 'stage')} not run again"]
    parts += [flops_in_words(saved.flops)] if saved.flops else []
    if saved.gpu_hours:
        hours = f"{saved.gpu_hours:{',.0f' if saved.gpu_hours >= 100 else '.3g'}}"
        parts.append(f"{hours} GPU-hours")
    elif saved.hours * 3600 >= 1:
        parts.append(in_words(3600 * saved.hours))
    return f"sharing saved so far: {', '.join(parts)}"


def failure_lines(snapshot: Snapshot) -> Iterator[Text]:
    """What failed, and why."""
    for name, problem in snapshot.failures:
        yield Text.assemble(("failed ", "red"), _name(name), ": ", problem)


def left_words(left: TimeLeft | None) -> str:
    """The time left in words: a guess says that it is one, and none is made of nothing."""
    if left is None:
        return ""
    if left.seconds < 1:
        return "a moment left" if left.measured else ""
    about = in_words(left.seconds)
    return f"about {about} left" if left.measured else f"planned: {about}"


class Bar:
    """One bar over the width that there is: done, running, failed, waiting, by their shares."""

    def __init__(self, shares: Mapping[State, float]) -> None:
        self._shares = shares

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        thick, thin = ("#", "-") if options.ascii_only else ("━", "─")
        for state, cells in _cells(self._shares, options.max_width):
            style = Style.parse(_STYLES[state])
            yield Segment((thin if state in _THIN else thick) * cells, style)
        yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(4, options.max_width)


def _cells(shares: Mapping[State, float], width: int) -> Iterator[tuple[State, int]]:
    """Cells of each state in order, `width` in all; whatever exists gets one."""
    present: list[State] = [state for state in _ORDER if shares.get(state, 0) > 0]
    cells = {state: max(1, round(shares[state] * width)) for state in present}
    while present and (over := sum(cells.values()) - width):
        largest = max(present, key=lambda state: cells[state])
        if over > 0 and cells[largest] <= 1:
            break
        cells[largest] -= 1 if over > 0 else -1
    return ((state, cells[state]) for state in present)


def _head(snapshot: Snapshot) -> Table:
    head = Table.grid(expand=True)
    head.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    head.add_column(no_wrap=True, justify="right")
    percent = f"{100 * snapshot.shares.get('done', 0):.0f} %"
    left = left_words(snapshot.left)
    right = Text(percent) + Text(f"  {left}" if left else "", style="bold")
    head.add_row(Text(snapshot.name, style="bold"), right)
    return head


def _table(rows: Sequence[Row], *, wide: bool) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False, expand=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column(width=24 if wide else 12)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right", min_width=6)
    for row in rows:
        table.add_row(*_cells_of(row))
    return table


def _cells_of(row: Row) -> tuple[RenderableType, ...]:
    seen = row.sighting
    name = _name(row.name)
    if not row.placed:
        return name, Text("queued", style="bright_black"), "", "", ""
    if not seen.steps:
        return name, Text("starting", style="bright_black"), "", "for", in_words(row.spent)
    bar = Bar({"running": seen.share, "waiting": 1 - seen.share})
    loss = "" if seen.loss is None else f"loss {seen.loss:.3f}"
    left = "" if row.left is None else in_words(row.left)
    return name, bar, f"{seen.step}/{seen.steps}", loss, left


def _name(text: str) -> Text:
    """A stage's name; how many share it is said in fewer words than elsewhere."""
    first, found, more = text.partition(" and ")
    name = Text(first)
    if found:
        name.append(f" +{more.removesuffix(' more')}", style="bright_black")
    return name
