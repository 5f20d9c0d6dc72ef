"""A plan on the terminal."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from orchestrator.cost.cost import PlanCost, Total
from orchestrator.cost.devices_needed import StageNeed, stage_needs
from orchestrator.cost.makespan import makespan
from orchestrator.cost.memory import StageMemory
from orchestrator.cost.model_sizes import ModelSizes, trained_parameters
from orchestrator.cost.sharing import axis_sharing
from orchestrator.plan.design_view import also_built, answers_table, axes_table
from orchestrator.plan.differences import Difference
from orchestrator.plan.plan import Plan, StageNode
from orchestrator.plan.plan_changes import Changes

_HASH = re.compile(r"\b[0-9a-f]{64}\b")
_PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"]


def show_plan(
    console: Console,
    plan: Plan,
    cost: PlanCost,
    memory: Mapping[str, StageMemory],
    *,
    device: float,
    gpus: float | None = None,
) -> None:
    """Print variants, stages, what is shared, the cost, and what does not fit.

    Args:
        console: where to.
        plan, cost: what runs, and what it costs.
        memory: of each stage, by key.
        device: bytes of one GPU.
        gpus: of the cluster, for the time that the sweep takes at least.
    """
    factors = (
        _counted(len({variant.design for variant in plan.variants}), "design"),
        _counted(len(plan.sweep.scales), "scale"),
        _counted(len(plan.sweep.seeds), "seed"),
    )
    console.print(
        f"[bold]{plan.name}[/bold]: {' x '.join(factors)} = "
        f"{_counted(len(plan.variants), 'variant')} ({plan.sweep.design})"
    )
    console.print(axes_table(plan))
    console.print(answers_table(plan))
    # A sweep on a generated world has tiny parts of its own.
    if plan.world is None and (rest := also_built(plan)):
        console.print(f"Built too, and not in this sweep: {rest}.", style="dim", highlight=False)
    console.print(_sizes(plan))
    console.print(_stages(plan, cost))
    console.print(_costs(cost))
    console.print(_sharing(plan, cost))
    console.print(_time(plan, cost, gpus), highlight=False)
    _show_memory(console, stage_needs(plan, memory, device=device), device)
    console.print(
        "Estimates from parameter and token counts. "
        f"CPU speed: {cost.speeds.cpu_source}. GPU speed: {cost.speeds.gpu_source}.",
        style="dim",
    )
    if plan.not_yet:
        console.print(f"[yellow]not yet:[/yellow] {', '.join(plan.not_yet)} (a run is refused)")
    if plan.provisional:
        console.print(
            f"[yellow]provisional keys:[/yellow] {len(plan.unpinned)} sources are not at hand or "
            "not pinned (a run is refused until they are):"
        )
        for source in plan.unpinned:
            console.print(f"  {source}", highlight=False)


def show_changes(
    console: Console, changes: Changes, cost: PlanCost, places: Mapping[str, str]
) -> None:
    """Print what a changed file adds, drops and runs again.

    Args:
        console: where to.
        changes: from the old file to the new one.
        cost: of the new one.
        places: fingerprint -> where it lies, of both.
    """
    console.print(
        f"Against the old file: {_counted(changes.kept, 'stage')} kept, "
        f"{_counted(len(changes.added), 'variant')} added, {len(changes.removed)} removed."
    )
    if changes.removed:
        console.print("What is removed stays in the store; `apollo gc --dry-run` lists it.")
    if not changes.reruns:
        console.print("Nothing would run again.")
        return
    table = Table("stage", "to run", "because", title="New stages", title_justify="left")
    table.columns[1].justify = "right"
    for rerun in changes.reruns:
        because = "\n".join(told(each, places) for each in rerun.because) or "new variants"
        table.add_row(rerun.step, str(len(rerun.keys)), because)
    console.print(table)
    flops = sum(cost.stages[key].flops for key in changes.to_run)
    console.print(
        f"To run: {_counted(len(changes.to_run), 'stage')}, {si(flops)}FLOPs "
        f"({flops / cost.shared.flops:.1%} of the new file's).",
        highlight=False,
    )


def told(difference: Difference, places: Mapping[str, str] | None = None) -> str:
    """A difference in one line; `places` names fingerprints by where they lie."""
    if difference.first is None and difference.second is None:
        return difference.field
    first, second = (shown(each, places) for each in (difference.first, difference.second))
    return f"{difference.field}: {first} -> {second}"


def shown(value: object, places: Mapping[str, str] | None = None) -> str:
    """A field's value for people: hashes cut to 12 digits, with the file that they stand for."""
    if value is None:
        return "absent"
    place = (places or {}).get(str(value), "")
    name = f" ({place.rsplit('/', 1)[-1]})" if place.endswith(".jsonl") else ""
    return _HASH.sub(lambda found: found.group()[:12], str(value)) + name


def _sizes(plan: Plan) -> Table:
    """Parameters of the first design's model at each scale: all of them, and what stages train."""
    first = [each for each in plan.variants if each.design == plan.variants[0].design]
    by_scale = {variant.scale: variant for variant in reversed(first)}
    trained = {scale: trained_parameters(plan, by_scale[scale]) for scale in plan.sweep.scales}
    stages = list(dict.fromkeys(stage for counts in trained.values() for stage in counts))
    table = Table(title=f"Parameters of design {plan.variants[0].design}", title_justify="left")
    table.add_column("scale", overflow="fold")
    for name in ("vision", "connector", "LLM", *(f"{stage}\ntrains" for stage in stages)):
        table.add_column(name, justify="right")
    for scale, counts in trained.items():
        modules = ModelSizes.of(plan, by_scale[scale]).parameters()
        row = [*modules.values(), *(counts[stage] for stage in stages)]
        table.add_row(scale, *(parameters(count) for count in row))
    return table


def _stages(plan: Plan, cost: PlanCost) -> Table:
    table = Table(title="Stages", title_justify="left")
    table.add_column("stage")
    for name in ("needed", "run", "shared by", "FLOPs", "serial time", "kept"):
        table.add_column(name, justify="right")
    by_label: dict[str, list[StageNode]] = defaultdict(list)
    for node in plan.stages.values():
        by_label[node.label].append(node)
    for label, nodes in by_label.items():
        costs = [cost.stages[node.key] for node in nodes]
        table.add_row(
            label,
            str(sum(node.used_by for node in nodes)),
            str(len(nodes)),
            _range([node.used_by for node in nodes]),
            si(sum(each.flops for each in costs)),
            duration(sum(each.seconds for each in costs)),
            f"{si(sum(each.bytes for each in costs))}B",
        )
    return table


def _costs(cost: PlanCost) -> Table:
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


def _amounts(total: Total) -> tuple[float, float, float, float]:
    return total.flops, total.gpu_hours, float(total.samples), float(total.bytes)


def _written(amounts: tuple[float, float, float, float]) -> tuple[str, str, str, str]:
    flops, hours, samples, size = amounts
    return si(flops), f"{hours:,.1f}", si(samples).strip(), f"{si(size)}B"


def _sharing(plan: Plan, cost: PlanCost) -> Table:
    """For each axis what its levels have in common."""
    table = Table(title="What the levels of an axis share", title_justify="left")
    for name in ("axis", "levels", "stages that need not run again", "FLOPs saved"):
        table.add_column(name, justify="right" if name in ("levels", "FLOPs saved") else "left")
    for each in axis_sharing(plan, cost):
        steps = ", ".join(f"{step} {share:.0%}" for step, share in each.shared.items())
        saved = f"{each.saved_share:.1%}"
        table.add_row(each.axis, str(each.levels), steps or "none", saved)
    return table


def _time(plan: Plan, cost: PlanCost, gpus: float | None) -> str:
    """The longest chain of stages, and what that and the work leave for a cluster."""
    seconds = {key: each.seconds for key, each in cost.stages.items()}
    found = makespan(plan, seconds, gpus=gpus or 0)
    text = f"Longest chain of stages: {duration(found.critical_path)}."
    if gpus is not None and found.work:
        text += f" On {gpus:g} GPUs the sweep takes at least {duration(found.shortest)}."
    kept = f"{si(cost.largest_checkpoint)}B"
    return f"{text} A stage under way keeps up to {kept} to go on from."


def _show_memory(console: Console, needs: Sequence[StageNeed], device: float) -> None:
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
    console.print(_needs([need for need in needs if not need.fits], size))
    for hint in _hints([need for need in needs if not need.fits]):
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


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def si(value: float) -> str:
    """A number with three digits and an SI prefix: 1.23 T."""
    power = 0
    while value >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}".rstrip() + (" " if power == 0 else "")


def parameters(count: int) -> str:
    """A count of parameters as papers print it: 38.4M, 1.40B."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + name
    return str(count)


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3.4 h, 25 d."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    days = seconds / 86400
    return f"{days:.3g} d" if days < 100 else f"{days:,.0f} d"
