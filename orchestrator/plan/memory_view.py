"""Stages that do not fit on their GPUs, on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.cost.devices_needed import StageNeed
from orchestrator.plan.amounts import si


def show_memory(console: Console, needs: Sequence[StageNeed], device: float) -> None:
    """Stages that do not fit, and what would help; of a sweep without GPUs nothing."""
    if not needs:
        return
    size = f"{si(device)}B"
    most = max(needs, key=lambda need: need.least.total)
    if all(need.fits for need in needs):
        console.print(
            f"Every stage fits on its GPUs of {size}; the fullest is {most.label} of {most.scale}, "
            f"{si(most.least.total)}B on each.",
            highlight=False,
        )
        return
    tight = [need for need in needs if not need.fits]
    console.print(_needs(tight, size))
    of = dict.fromkeys(f"{need.label} of {need.design}" for need in tight)
    console.print(f"The fullest of each name: {', '.join(of)}.", highlight=False, markup=False)
    for hint in _hints(tight):
        console.print(f"[yellow]memory:[/yellow] {hint}", highlight=False)


def _hints(needs: Sequence[StageNeed]) -> Iterator[str]:
    """What to change about stages that do not fit."""
    if any(need.needed for need in needs):
        yield "give these scales more `resources.gpus`, or a stage runs out of memory."
    if any(need.recomputing and not need.needed for need in needs):
        yield "`execution: {activation_checkpointing: true}` makes room for a third more work."
    if any(need.recomputing is None for need in needs):
        yield (
            "too full: one sample alone is more than a GPU holds; see fewer clips in that stage "
            "(`sampling: {max_clips: ...}`), or tell of larger GPUs with --gpu-memory."
        )


def _needs(needs: Sequence[StageNeed], size: str) -> Table:
    """The fullest stage of each name that does not fit."""
    table = Table(title=f"Stages that do not fit on their GPUs of {size}", title_justify="left")
    table.add_column("scale", overflow="fold")
    table.add_column("stage")
    table.add_column("GPUs in\nthe file", justify="right")
    table.add_column("at least\non each", justify="right")
    table.add_column("GPUs\nneeded", justify="right")
    table.add_column("with activation\ncheckpointing", justify="right")
    for need in needs:
        table.add_row(
            need.scale,
            need.label,
            f"{need.given:g}",
            f"{si(need.least.total)}B",
            str(need.needed.devices) if need.needed else "too full",
            str(need.recomputing.devices) if need.recomputing else "too full",
        )
    return table
