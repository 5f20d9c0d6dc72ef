"""What a changed sweep file would run again, and because of which fields."""

from __future__ import annotations

from collections.abc import Mapping
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
        reruns: stages that the old file did not have.
        kept: number of stages that both files have.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    reruns: tuple[Rerun, ...]
    kept: int

    @property
    def new(self) -> tuple[str, ...]:
        """Keys of all new stages, each once."""
        return tuple(dict.fromkeys(key for rerun in self.reruns for key in rerun.keys))


def plan_changes(old: Plan, new: Plan) -> Changes:
    """Compare two plans variant by variant."""
    before = {variant.id: variant for variant in old.variants}
    reasons: dict[tuple[str, tuple[Difference, ...]], dict[str, None]] = {}
    for variant in new.variants:
        earlier = steps(before[variant.id]) if variant.id in before else None
        for step, key in steps(variant).items():
            if key not in old.stages:
                because = _because(step, key, earlier, old, new)
                reasons.setdefault((step, because), {})[key] = None
    after = {variant.id for variant in new.variants}
    order = list(dict.fromkeys(step for variant in new.variants for step in steps(variant)))
    reruns = [Rerun(step, tuple(keys), because) for (step, because), keys in reasons.items()]
    return Changes(
        added=tuple(variant.id for variant in new.variants if variant.id not in before),
        removed=tuple(name for name in before if name not in after),
        reruns=tuple(sorted(reruns, key=lambda rerun: order.index(rerun.step))),
        kept=len(set(old.stages) & set(new.stages)),
    )


def _because(
    step: str, key: str, earlier: Mapping[str, str] | None, old: Plan, new: Plan
) -> tuple[Difference, ...]:
    """Why a variant's step is another one than before; nothing where the variant is new."""
    if earlier is None:
        return ()
    if step not in earlier:
        return (Difference("a step that its variants did not have", None, None),)
    found = differences(old.stages[earlier[step]], new.stages[key])
    # A differing parent is told where it differs itself.
    own = [each for each in found if not each.field.startswith("parent ")]
    return tuple(own) or (Difference("an earlier stage", None, None),)
