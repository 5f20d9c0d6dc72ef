"""What sharing saves, axis by axis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cost.cost import PlanCost
from orchestrator.plan.plan import Plan, Variant

# Groups of variants, each by the keys of its stages.
Groups = Sequence[Sequence[Sequence[str]]]


@dataclass(frozen=True)
class AxisSharing:
    """What levels of one axis have in common, all else being equal.

    Attributes:
        axis: its name; `seed` for replicates of one variant, `evaluation` for what one model is
            asked, each entry counted as if it had a training of its own.
        levels: how many there are, the base's own included.
        shared: name of each stage that all or some levels share -> the share of its runs that
            need not be, 0 to 1.
        saved_share: of the FLOPs of variants that differ on this axis alone.
        saved_gpu_hours, saved_disk: the same of their GPU-hours and of the bytes of results; None
            where there are none.
    """

    axis: str
    levels: int
    shared: Mapping[str, float]
    saved_share: float
    saved_gpu_hours: float | None
    saved_disk: float | None


def axis_sharing(plan: Plan, cost: PlanCost) -> tuple[AxisSharing, ...]:
    """For each axis, and for seeds and evaluations where there are several, what levels share."""
    found = [(axis, _alike_but_for(axis, plan.variants)) for axis in plan.sweep.axes]
    if len(plan.sweep.seeds) > 1:
        found.append(("seed", _alike_but_for("seed", plan.variants)))
    named = [
        (axis, [[each.stages for each in group] for group in groups]) for axis, groups in found
    ]
    if len(plan.sweep.evaluation) > 1:
        named.append(("evaluation", [_asked_alone(each) for each in plan.variants]))
    return tuple(_of(axis, groups, plan, cost) for axis, groups in named)


def _asked_alone(variant: Variant) -> list[tuple[str, ...]]:
    """A variant's stages for each of its evaluations, as if that were a variant of its own."""
    training = tuple(variant.steps.values())
    return [(*training, key) for key in variant.evaluations.values()]


def _of(axis: str, groups: Groups, plan: Plan, cost: PlanCost) -> AxisSharing:
    needed: dict[str, int] = defaultdict(int)
    run: dict[str, int] = defaultdict(int)
    separate: list[str] = []
    shared: list[str] = []
    for group in groups:
        keys: dict[str, set[str]] = defaultdict(set)
        for stages in group:
            for key in stages:
                label = plan.stages[key].label
                needed[label] += 1
                keys[label].add(key)
            separate += stages
        for label, own in keys.items():
            run[label] += len(own)
        shared += {key for stages in group for key in stages}

    def saved(amount: Callable[[str], float]) -> float | None:
        total = math.fsum(map(amount, separate))
        return 1 - math.fsum(map(amount, shared)) / total if total else None

    return AxisSharing(
        axis=axis,
        levels=max((len(group) for group in groups), default=1),
        shared={step: 1 - run[step] / count for step, count in needed.items() if run[step] < count},
        saved_share=saved(lambda key: cost.stages[key].flops) or 0.0,
        saved_gpu_hours=saved(lambda key: cost.stages[key].seconds * plan.stages[key].gpus),
        saved_disk=saved(lambda key: cost.stages[key].bytes),
    )


def _alike_but_for(axis: str, variants: Sequence[Variant]) -> list[list[Variant]]:
    """Variants that differ on `axis` alone, in groups of at least two."""
    groups: dict[object, list[Variant]] = defaultdict(list)
    for variant in variants:
        rest = tuple(
            sorted((name, level) for name, level in variant.levels.items() if name != axis)
        )
        seed = None if axis == "seed" else variant.seed
        groups[rest, variant.scale, seed].append(variant)
    return [group for group in groups.values() if len(group) > 1]
