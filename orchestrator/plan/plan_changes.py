"""What a changed sweep file would run again, and because of which fields."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.plan.differences import Difference, differences, steps
from orchestrator.plan.plan import Plan


@dataclass(frozen=True)
class Rerun:
    """Stages of one step that the old file did not have, for one reason.

    Attributes:
        step: stage name, or `evaluate METRIC`.
        keys: the new stages.
        because: fields that differ from the same variant's old stage; none for a new variant.
    """

    step: str
    keys: tuple[str, ...]
    because: tuple[Difference, ...]


@dataclass(frozen=True)
class Changes:
    """From one plan to another.

    Attributes:
        added, removed: ids of variants.
        reruns: stages to run that the old file did not have.
        kept: number of stages that both files have.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    reruns: tuple[Rerun, ...]
    kept: int


def plan_changes(old: Plan, new: Plan) -> Changes:
    """Compare two plans variant by variant."""
    before = {variant.id: variant for variant in old.variants}
    reasons: dict[tuple[str, tuple[Difference, ...]], dict[str, None]] = {}
    for variant in new.variants:
        earlier = steps(before[variant.id]) if variant.id in before else {}
        for step, key in steps(variant).items():
            if key in old.stages:
                continue
            because: tuple[Difference, ...] = ()
            if step in earlier:
                found = differences(old.stages[earlier[step]], new.stages[key])
                # A differing parent is told where it differs itself.
                own = [each for each in found if not each.field.startswith("parent ")]
                because = tuple(own) or (Difference("an earlier stage", None, None),)
            reasons.setdefault((step, because), {})[key] = None
    after = {variant.id for variant in new.variants}
    return Changes(
        added=tuple(variant.id for variant in new.variants if variant.id not in before),
        removed=tuple(name for name in before if name not in after),
        reruns=tuple(
            Rerun(step, tuple(keys), because) for (step, because), keys in reasons.items()
        ),
        kept=len(set(old.stages) & set(new.stages)),
    )
