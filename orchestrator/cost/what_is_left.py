"""What is left of a plan's cost once the stages that a store has are taken off."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.cost.cost import PlanCost
from orchestrator.plan.plan import Plan


@dataclass(frozen=True)
class WhatIsLeft:
    """Of a plan's stages.

    Attributes:
        done: how many the store has.
        stages: how many it does not.
        flops, gpu_hours: of those.
    """

    done: int
    stages: int
    flops: float
    gpu_hours: float


def what_is_left(plan: Plan, cost: PlanCost, done: Collection[str]) -> WhatIsLeft:
    """Count what is not among `done`, which are keys."""
    missing = [key for key in plan.stages if key not in done]
    return WhatIsLeft(
        done=len(plan.stages) - len(missing),
        stages=len(missing),
        flops=math.fsum(cost.stages[key].flops for key in missing),
        gpu_hours=math.fsum(cost.stages[key].seconds * plan.stages[key].gpus for key in missing)
        / 3600,
    )
