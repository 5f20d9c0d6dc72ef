"""What the orchestrator saves and what it costs, in four tables.

    make bench-orchestrator        # about 20 minutes on two quiet cores

- sharing: what stages that variants have in common save in each study that is shipped;
- makespan: simulated clusters, handed out by the scheduler that runs real sweeps;
- overhead: time outside training, and `apollo run` beside plain Ray Tune on the demo;
- tracking: what the MLflow view costs beside stages of 10 s.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import makespan
import orchestrator_overhead
import tracking_scale

from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan_view import si
from orchestrator.spec.sweep_file import load_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"
STUDIES = ("apollo84", *(f"paper_table{number}" for number in (9, 10, 11, 12, 13)), "demo")
# Only ratios are printed, so any speed will do.
SPEEDS = Speeds(cpu=1e9, gpu=1e14, cpu_source="", gpu_source="")


def sharing() -> Iterator[str]:
    """A line for each study: each variant on its own beside stages run once."""
    yield (
        f"{'study':14} {'variants':>8} {'stages':>13} {'FLOPs':>21} {'saved':>7} {'disk saved':>10}"
    )
    for name in STUDIES:
        plan = build_plan(load_sweep(SWEEPS / f"{name}.yaml"), store=Path("none"))
        cost = plan_cost(plan, plan_flops(plan), SPEEDS)
        needed = sum(len(variant.stages) for variant in plan.variants)
        kept = sum(cost.stages[key].bytes for key in plan.stages)
        apart = sum(cost.stages[key].bytes for each in plan.variants for key in each.stages)
        yield (
            f"{name:14} {len(plan.variants):8} {needed:5} -> {len(plan.stages):4} "
            f"{si(cost.separate.flops):>8} -> {si(cost.shared.flops):>8} "
            f"{cost.saved_share:7.1%} {1 - kept / apart:10.1%}"
        )


def overhead(quick: bool) -> Iterator[str]:
    """Time outside training, and the peer."""
    stages, seconds = (20, 1.0) if quick else (100, 10.0)
    yield from orchestrator_overhead.told(stages=stages, seconds=seconds, quick=quick)


def tracking(quick: bool) -> Iterator[str]:
    """The writer beside the stages."""
    shape = tracking_scale.Shape(replicates=6 if quick else 300)
    yield from tracking_scale.lines(shape, tracking_scale.measure(shape))


SECTIONS: dict[str, Callable[[bool], Iterator[str]]] = {
    "sharing": lambda _: sharing(),
    "makespan": lambda quick: iter(makespan.told((1,) if quick else makespan.SEEDS)),
    "overhead": overhead,
    "tracking": tracking,
}


def main() -> None:
    """Print the sections that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="smaller, for a look")
    given = parser.parse_args()
    if unknown := set(given.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    for name in given.sections or SECTIONS:
        print(f"\n{name}", flush=True)
        for line in SECTIONS[name](given.quick):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main()
