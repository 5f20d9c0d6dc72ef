"""What a changed sweep file would run again, on the terminal."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from rich.console import Console
from rich.table import Table

from orchestrator.cost.cost import PlanCost
from orchestrator.plan.amounts import counted, si
from orchestrator.plan.differences import Difference
from orchestrator.plan.plan_changes import Changes

_HASH = re.compile(r"\b[0-9a-f]{64}\b")


def show_changes(
    console: Console,
    changes: Changes,
    cost: PlanCost,
    places: Mapping[str, str],
    *,
    done: Collection[str] = (),
) -> None:
    """Print what a changed file adds, drops and runs again.

    Args:
        console: where to.
        changes: from the old file to the new one.
        cost: of the new one.
        places: fingerprint -> where it lies, of both.
        done: keys of stages that the store has.
    """
    console.print(
        f"Against the old file: {counted(changes.kept, 'stage')} kept, "
        f"{counted(len(changes.added), 'variant')} added, {len(changes.removed)} removed."
    )
    if changes.removed:
        console.print(
            "What is removed stays in the store; once the new file has run, `apollo gc --dry-run` "
            "lists it."
        )
    if not changes.reruns:
        console.print("Nothing would run again.")
        return
    table = Table("stage", "new", "to run", "because", title="New stages", title_justify="left")
    table.columns[1].justify = table.columns[2].justify = "right"
    for rerun in changes.reruns:
        because = "\n".join(told(each, places) for each in rerun.because) or "new variants"
        missing = [key for key in rerun.keys if key not in done]
        table.add_row(rerun.step, str(len(rerun.keys)), str(len(missing)), because)
    console.print(table)
    to_run = [key for key in changes.new if key not in done]
    if not to_run:
        console.print("To run: none of them; the store has all.")
        return
    flops = sum(cost.stages[key].flops for key in to_run)
    console.print(
        f"To run: {counted(len(to_run), 'stage')}, {si(flops)}FLOPs "
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
