"""What sharing saves, axis by axis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.cost.cost import PlanCost
from orchestrator.plan.plan import Plan, Variant


@dataclass(frozen=True)
class AxisSharing:
    """What levels of one axis have in common, all else being equal.

    Attributes:
        axis: its name, or `seed` for replicates of one variant.
        levels: how many there are, the base's own included.
        shared: name of each stage that all or some levels share -> the share of its runs that
            need not be, 0 to 1.
        saved_share: of the FLOPs of variants that differ on this axis alone.
    """

    axis: str
    levels: int
    shared: Mapping[str, float]
    saved_share: float


def axis_sharing(plan: Plan, cost: PlanCost) -> tuple[AxisSharing, ...]:
    """For each axis, and for seeds where there are several, what its levels share."""
    axes = list(plan.sweep.axes)
    if len(plan.sweep.seeds) > 1:
        axes.append("seed")
    return tuple(_of(axis, plan, cost) for axis in axes)


def _of(axis: str, plan: Plan, cost: PlanCost) -> AxisSharing:
    groups = _alike_but_for(axis, plan.variants)
    needed: dict[str, int] = defaultdict(int)
    run: dict[str, int] = defaultdict(int)
    separate: list[float] = []
    shared: list[float] = []
    for group in groups:
        keys: dict[str, set[str]] = defaultdict(set)
        for variant in group:
            for key in variant.stages:
                label = plan.stages[key].label
                needed[label] += 1
                keys[label].add(key)
            separate += [cost.stages[key].flops for key in variant.stages]
        for label, own in keys.items():
            run[label] += len(own)
        once = {key for variant in group for key in variant.stages}
        shared += [cost.stages[key].flops for key in once]
    total = math.fsum(separate)
    return AxisSharing(
        axis=axis,
        levels=max((len(group) for group in groups), default=1),
        shared={step: 1 - run[step] / count for step, count in needed.items() if run[step] < count},
        saved_share=1 - math.fsum(shared) / total if total else 0.0,
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
