"""How long a sweep takes on a cluster, beside the least that it could: the real scheduler, no work.

    .venv/bin/python tests/benchmarks/makespan.py

The stages of `sweeps/apollo84.yaml`, with 1 and with 12 seeds (84 and 1,008 variants), are handed
out by the scheduler that runs real sweeps, over clusters of 1, 8 and 64 GPUs in nodes of 8. A
stage takes as long as planned, or is off by a log-normal factor that the scheduler does not know.
Printed beside the bound max(longest chain of stages, GPU-seconds / GPUs), which no schedule beats.
Where a cluster is smaller than a stage's gang, the stage takes the whole cluster for longer.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from apollo_core.execution import Execution
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.speeds import Speeds
from orchestrator.engine.frontier import Frontier, remaining_paths
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.room import Capacity, Node
from orchestrator.engine.task import StageTask
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import StageNode
from orchestrator.spec.sweep_file import load_sweep

SWEEP = Path(__file__).parents[2] / "sweeps" / "apollo84.yaml"
SEEDS = (1, 12)
CLUSTERS = (1, 8, 64)
SPREADS = (0.0, 0.3)
GPUS_A_NODE = 8
CPUS_A_GPU = 16
# What one GPU does while training, in FLOPs a second: only the ratio of durations matters here.
SPEED = 1e14


@dataclass(frozen=True)
class Made:
    """One simulated sweep.

    Attributes:
        variants, stages: of the sweep.
        gpus: of the cluster.
        spread: standard deviation of the log of real over planned seconds.
        hours: from the first stage to the end of the last.
        bound: the least that any schedule needs, in hours.
        seconds: the scheduler's own time for all of its decisions.
    """

    variants: int
    stages: int
    gpus: int
    spread: float
    hours: float
    bound: float
    seconds: float

    @property
    def over(self) -> float:
        """How much longer than the bound, as a share of it."""
        return self.hours / self.bound - 1


def main() -> None:
    """Print a line for each sweep, cluster and spread."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    for line in told(parser.parse_args().seeds):
        print(line, flush=True)


def told(seeds: Sequence[int] = SEEDS) -> list[str]:
    """The table's lines."""
    lines = [
        f"{'variants':>8} {'stages':>6} {'GPUs':>4} {'spread':>6} {'makespan':>10} {'bound':>10} "
        f"{'over':>7} {'scheduling':>11}"
    ]
    for count in seeds:
        variants, tasks = planned(count)
        for gpus in CLUSTERS:
            for spread in SPREADS:
                made = simulated(variants, tasks, gpus=gpus, spread=spread)
                lines.append(
                    f"{made.variants:8} {made.stages:6} {gpus:4} {spread:6.1f} {made.hours:8.0f} h "
                    f"{made.bound:8.0f} h {made.over:7.1%} {made.seconds:9.2f} s"
                )
    return lines


def planned(seeds: int) -> tuple[int, list[StageTask]]:
    """Variants of the study with so many seeds, and its stages with their planned seconds."""
    sweep = load_sweep(SWEEP)
    plan = build_plan(sweep.model_copy(update={"seeds": tuple(range(seeds))}), store=Path("none"))
    speeds = Speeds(cpu=SPEED, gpu=SPEED, cpu_source="", gpu_source="")
    cost = plan_cost(plan, plan_flops(plan), speeds)
    tasks = [_task(node, cost.stages[key].seconds) for key, node in plan.stages.items()]
    return len(plan.variants), tasks


def _task(node: StageNode, seconds: float) -> StageTask:
    return StageTask(
        key=node.key,
        label=node.label,
        identity=node.identity,
        parents=dict(node.parents),
        locations={},
        execution=Execution(),
        media_root="none",
        store="none",
        cpus=node.cpus,
        gpus=node.gpus,
        seconds=seconds,
    )


def simulated(variants: int, tasks: Sequence[StageTask], *, gpus: int, spread: float) -> Made:
    """Hand out the stages over a cluster until all are done."""
    fitted = [_fitted(task, gpus) for task in tasks]
    rng = random.Random(0)
    took = {task.key: task.seconds * math.exp(rng.gauss(0, spread)) for task in fitted}
    began = time.perf_counter()
    hours = makespan(fitted, took, gpus) / 3600
    seconds = time.perf_counter() - began
    return Made(
        variants, len(tasks), gpus, spread, hours, bound(fitted, took, gpus) / 3600, seconds
    )


def _fitted(task: StageTask, gpus: int) -> StageTask:
    if task.gpus <= gpus:
        return task
    return task.model_copy(update={"gpus": gpus, "seconds": task.seconds * task.gpus / gpus})


def makespan(tasks: Sequence[StageTask], took: Mapping[str, float], gpus: int) -> float:
    """Seconds from the first stage's start to the last one's end."""
    now = 0.0
    frontier = Frontier(tasks, clock=lambda: now)
    capacity = _cluster(gpus)
    running: list[tuple[float, str]] = []
    while not frontier.is_finished:
        while task := frontier.next(capacity):
            heapq.heappush(running, (now + took[task.key], task.key))
        now, key = heapq.heappop(running)
        frontier.end(StageOutcome(key, "done", seconds=took[key]))
    return now


def _cluster(gpus: int) -> Capacity:
    each = min(gpus, GPUS_A_NODE)
    return Capacity.of(
        Node(f"node {n}", cpus=each * CPUS_A_GPU, gpus=each) for n in range(gpus // each)
    )


def bound(tasks: Sequence[StageTask], took: Mapping[str, float], gpus: int) -> float:
    """The longer of the longest chain and of all the work spread evenly, in seconds."""
    real = {task.key: task.model_copy(update={"seconds": took[task.key]}) for task in tasks}
    work = math.fsum(took[task.key] * task.gpus for task in tasks)
    return max(*remaining_paths(real).values(), work / gpus)


if __name__ == "__main__":
    main()
