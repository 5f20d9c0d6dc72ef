"""What a plan costs and what sharing saves, on the terminal."""

from __future__ import annotations

from rich.table import Table

from orchestrator.cost.cost import PlanCost, Total
from orchestrator.cost.makespan import makespan
from orchestrator.cost.sharing import axis_sharing
from orchestrator.plan.amounts import duration, si
from orchestrator.plan.plan import Plan


def costs_table(cost: PlanCost) -> Table:
    """The sweep with and without sharing."""
    table = Table(title="Cost", title_justify="left")
    table.add_column("")
    for name in ("FLOPs", "GPU-hours", "training samples", "disk"):
        table.add_column(name, justify="right")
    separate, shared = _amounts(cost.separate), _amounts(cost.shared)
    table.add_row("each variant on its own", *_written(separate))
    table.add_row("shared", *_written(shared))
    saved = (
        f"{1 - less / more:.1%}" if more else ""
        for more, less in zip(separate, shared, strict=True)
    )
    table.add_row("saved by sharing", *saved, style="bold")
    return table


def sharing_table(plan: Plan, cost: PlanCost) -> Table:
    """For each axis what its levels have in common."""
    table = Table(title="What the levels of an axis share", title_justify="left")
    saved = ("FLOPs\nsaved", "GPU-hours\nsaved", "disk\nsaved")
    for name in ("axis", "levels", "stages that need not run again", *saved):
        table.add_column(name, justify="right" if name in ("levels", *saved) else "left")
    for each in axis_sharing(plan, cost):
        steps = ", ".join(f"{step} {share:.0%}" for step, share in each.shared.items())
        shares = (each.saved_share, each.saved_gpu_hours, each.saved_disk)
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


def _amounts(total: Total) -> tuple[float, float, float, float]:
    return total.flops, total.gpu_hours, float(total.samples), float(total.bytes)


def _written(amounts: tuple[float, float, float, float]) -> tuple[str, str, str, str]:
    flops, hours, samples, size = amounts
    return si(flops), f"{hours:,.1f}", si(samples).strip(), f"{si(size)}B"
