"""A plan on the terminal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from orchestrator.cost.cost import PlanCost
from orchestrator.cost.decoding import PlanDecoding
from orchestrator.cost.devices_needed import stage_needs
from orchestrator.cost.memory import StageMemory
from orchestrator.cost.model_sizes import ModelSizes, trained_parameters
from orchestrator.plan.amounts import counted, duration, parameters, si
from orchestrator.plan.cost_view import costs_table, sharing_table, time_needed
from orchestrator.plan.decoding_view import decoding_lines
from orchestrator.plan.design_view import also_built, answers_table, axes_table
from orchestrator.plan.memory_view import show_memory
from orchestrator.plan.plan import Plan, StageNode


def show_plan(
    console: Console,
    plan: Plan,
    cost: PlanCost,
    memory: Mapping[str, StageMemory],
    *,
    device: float,
    gpus: float | None = None,
    decoding: PlanDecoding | None = None,
) -> None:
    """Print variants, stages, what is shared, the cost, and what does not fit or keep up.

    Args:
        console: where to.
        plan, cost: what runs, and what it costs.
        memory: of each stage, by key.
        device: bytes of one GPU.
        gpus: of the cluster, for the time that the sweep takes at least.
        decoding: of each stage.
    """
    factors = (
        counted(len({variant.design for variant in plan.variants}), "design"),
        counted(len(plan.sweep.scales), "scale"),
        counted(len(plan.sweep.seeds), "seed"),
    )
    console.print(
        f"[bold]{plan.name}[/bold]: {' x '.join(factors)} = "
        f"{counted(len(plan.variants), 'variant')} ({plan.sweep.design})"
    )
    console.print(axes_table(plan))
    console.print(answers_table(plan))
    # A sweep on a generated world has tiny parts of its own.
    if plan.world is None and (rest := also_built(plan)):
        console.print(f"Built too, and not in this sweep: {rest}.", style="dim", highlight=False)
    console.print(_sizes(plan))
    console.print(_stages(plan, cost))
    console.print(costs_table(cost))
    console.print(sharing_table(plan, cost))
    console.print(time_needed(plan, cost, gpus), highlight=False)
    for line in decoding_lines(plan, cost, decoding) if decoding else ():
        console.print(line, highlight=False)
    show_memory(console, stage_needs(plan, memory, device=device), device)
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


def _range(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
