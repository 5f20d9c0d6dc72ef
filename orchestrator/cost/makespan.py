"""How long a sweep takes at least."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.plan.plan import Plan


@dataclass(frozen=True)
class Makespan:
    """Bounds on a sweep's wall time.

    Attributes:
        critical_path: seconds of the longest chain of stages that wait for one another.
        work: GPU-seconds of all stages.
        gpus: how many there are.
        shortest: seconds that no order of work goes below.
    """

    critical_path: float
    work: float
    gpus: float
    shortest: float


def makespan(plan: Plan, seconds: Mapping[str, float], *, gpus: float) -> Makespan:
    """The lower bound max(critical path, work / GPUs) of a sweep whose stages run once each.

    Args:
        plan: its stages, parents before children.
        seconds: of each stage, by key.
        gpus: of the cluster.
    """
    ends: dict[str, float] = {}
    for key, node in plan.stages.items():
        begins = max((ends[parent] for parent in node.parents.values()), default=0.0)
        ends[key] = begins + seconds[key]
    critical = max(ends.values(), default=0.0)
    work = math.fsum(seconds[key] * node.gpus for key, node in plan.stages.items())
    shortest = max(critical, work / gpus) if gpus else critical
    return Makespan(critical, work, gpus, shortest)
