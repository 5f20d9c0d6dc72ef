"""What a plan costs and what sharing saves, on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rich.table import Table

from orchestrator.cost.cost import PlanCost, Total
from orchestrator.cost.makespan import makespan
from orchestrator.cost.sharing import axis_sharing
from orchestrator.cost.what_is_left import WhatIsLeft
from orchestrator.plan.amounts import counted, duration, si
from orchestrator.plan.plan import Plan

_GPU_HOURS = "GPU-hours"
_AMOUNTS: Mapping[str, Callable[[Total], float]] = {
    "FLOPs": lambda total: total.flops,
    _GPU_HOURS: lambda total: total.gpu_hours,
    "training samples": lambda total: float(total.samples),
    "disk": lambda total: float(total.bytes),
}


def costs_table(cost: PlanCost) -> Table:
    """The sweep with and without sharing; GPU-hours where a stage holds a GPU."""
    table = Table(title="Cost", title_justify="left")
    table.add_column("")
    columns = _columns(cost)
    for name in columns:
        table.add_column(name, justify="right")
    table.add_row("each variant on its own", *_written(cost.separate, columns))
    table.add_row("shared", *_written(cost.shared, columns))
    both = ((_AMOUNTS[name](cost.separate), _AMOUNTS[name](cost.shared)) for name in columns)
    saved = (f"{1 - less / more:.1%}" if more else "" for more, less in both)
    table.add_row("saved by sharing", *saved, style="bold")
    return table


def sharing_table(plan: Plan, cost: PlanCost) -> Table:
    """For each axis what its levels have in common."""
    table = Table(title="What the levels of an axis share", title_justify="left")
    saved = ["FLOPs\nsaved", "GPU-hours\nsaved", "disk\nsaved"]
    if _GPU_HOURS not in _columns(cost):
        saved.pop(1)
    for name in ("axis", "levels", "stages that need not run again", *saved):
        table.add_column(name, justify="right" if name in ("levels", *saved) else "left")
    for each in axis_sharing(plan, cost):
        steps = ", ".join(f"{step} {share:.0%}" for step, share in each.shared.items())
        shares = [each.saved_share, each.saved_gpu_hours, each.saved_disk]
        if len(saved) < len(shares):
            shares.pop(1)
        told = ("" if share is None else f"{share:.1%}" for share in shares)
        table.add_row(each.axis, str(each.levels), steps or "none", *told)
    return table


def time_needed(plan: Plan, cost: PlanCost, gpus: float | None) -> str:
    """The longest chain of stages, and what that and the work leave for a cluster."""
    seconds = {key: each.seconds for key, each in cost.stages.items()}
    found = makespan(plan, seconds, gpus=gpus or 0)
    text = f"Longest chain of stages: {duration(found.critical_path)}."
    if gpus is not None and found.work:
        text += f" On {gpus:g} GPUs the sweep takes at least {duration(found.shortest)}."
    kept = f"{si(cost.largest_checkpoint)}B"
    return f"{text} A stage under way keeps up to {kept} to go on from."


def left_line(left: WhatIsLeft, cost: PlanCost, store: Path) -> str:
    """How many stages a store has, and what the others cost."""
    of = counted(left.done + left.stages, "stage")
    if not left.stages:
        return f"All {of} are done in {store}; nothing is left."
    costs = [f"{si(left.flops)}FLOPs"]
    if _GPU_HOURS in _columns(cost):
        costs.append(f"{left.gpu_hours:,.1f} {_GPU_HOURS}")
    rest = ", ".join((counted(left.stages, "stage"), *costs))
    return f"{left.done} of {of} are done in {store}; left: {rest}."


def _columns(cost: PlanCost) -> list[str]:
    """Names of the amounts that this sweep has any of."""
    return [name for name in _AMOUNTS if name != _GPU_HOURS or cost.separate.gpu_hours]


def _written(total: Total, columns: Iterable[str]) -> Iterator[str]:
    for name in columns:
        amount = _AMOUNTS[name](total)
        if name == _GPU_HOURS:
            yield f"{amount:,.1f}"
        elif name == "disk":
            yield f"{si(amount)}B"
        else:
            yield si(amount).strip()
