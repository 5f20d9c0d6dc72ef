"""Why a variant's stages have the keys they have, and where two variants part."""

from __future__ import annotations

from rich.console import Console

from orchestrator.plan.changes_view import shown, told
from orchestrator.plan.differences import differences, fields, pair_steps, steps
from orchestrator.plan.plan import Plan, StageNode


def explain_one(plan: Plan, identifier: str) -> dict[str, object]:
    """Each step of a variant with its key and every field that the key depends on."""
    variant = plan.variant(identifier)
    return {
        "id": variant.id,
        "levels": dict(variant.levels),
        "stages": [_stage(step, plan.stages[key]) for step, key in steps(variant).items()],
    }


def explain_two(plan: Plan, first: str, second: str) -> dict[str, object]:
    """Each step of two variants: shared, or the exact fields where they part."""
    ones, others = (steps(plan.variant(name)) for name in (first, second))
    stages: list[dict[str, object]] = []
    for step, one, other in pair_steps(ones, others):
        parts = (
            differences(plan.stages[one], plan.stages[other])
            if one is not None and other is not None
            else []
        )
        stages.append(
            {
                "step": step,
                "shared": one == other,
                "keys": [one, other],
                "differences": [
                    {"field": each.field, "values": [each.first, each.second]} for each in parts
                ],
            }
        )
    return {"ids": [first, second], "stages": stages}


def _stage(step: str, node: StageNode) -> dict[str, object]:
    return {
        "step": step,
        "key": node.key,
        "kind": node.label,
        "used_by": node.used_by,
        "provisional": node.provisional,
        "fields": fields(node),
    }


def show_one(console: Console, plan: Plan, identifier: str) -> None:
    """Print a variant's steps, keys and fields."""
    variant = plan.variant(identifier)
    console.print(variant.id, style="bold", highlight=False, markup=False)
    for step, key in steps(variant).items():
        node = plan.stages[key]
        note = ", provisional" if node.provisional else ""
        console.print(
            f"\n[bold]{step}[/bold]  {key}  (used by {node.used_by}{note})",
            highlight=False,
            soft_wrap=True,
        )
        for name, value in fields(node).items():
            line = f"  {name}: {shown(value, node.locations)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def show_two(console: Console, plan: Plan, first: str, second: str) -> None:
    """Print which steps two variants share and where the others part."""
    ones, others = (steps(plan.variant(name)) for name in (first, second))
    console.print(f"{first}  |  {second}", highlight=False, markup=False, style="bold")
    for step, one, other in pair_steps(ones, others):
        if one is None or other is None:
            console.print(f"{step}: only {second if one is None else first} has it", markup=False)
            continue
        if one == other:
            console.print(f"{step}: shared ({one[:12]})", highlight=False)
            continue
        console.print(f"{step}: differs ({one[:12]} | {other[:12]})", highlight=False)
        places = {**plan.stages[one].locations, **plan.stages[other].locations}
        for each in differences(plan.stages[one], plan.stages[other]):
            line = f"  {told(each, places)}"
            console.print(line, highlight=False, markup=False, soft_wrap=True)
