"""Where the seconds of one small trial go: how much of its training is inside torch's operators.

    python tests/benchmarks/micro_trial.py [SWEEP] [--variant ID] [--store DIR]

The replicate's stages are run, so that those before a stage are there. Then each of its training
stages is run three times in this process: once to warm up (imports, decoded frames, kept
features), once by the clock, once under torch's profiler. The share is the time in which the
training thread was inside an operator, over the time from the first to the last step, both under
the profiler, which costs itself time: `profiled / plain` says how much.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from apollo_core.features.feature_cache import FeatureCache
from apollo_core.features.feature_use import FeatureUse
from apollo_core.stages.context import StageContext
from apollo_core.stages.run import run_stage
from orchestrator.cost.cost import plan_flops
from orchestrator.cost.feature_bytes import plan_features
from orchestrator.cost.speeds import measure_speeds
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan, StageNode
from orchestrator.run import RunOptions, run_sweep
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store
from orchestrator.watching.progress import make_progress

MOST_NAMED = 8
FEWEST_STEPS = 10


class Steps:
    """When a stage told of its steps."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def __call__(self, event: Mapping[str, object]) -> None:
        """Hear of one event."""
        if "loss" in event:
            self.times.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """From the first event to the last."""
        return self.times[-1] - self.times[0]


def main() -> None:
    """Run and print."""
    asked = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        store = Store((asked.store or Path(folder) / "store").absolute())
        plan = build_plan(load_sweep(asked.sweep), store=store.root)
        variant = plan.variant(asked.variant or plan.variants[0].id)
        run_sweep(
            plan,
            store,
            source=asked.sweep.read_text(encoding="utf-8"),
            engine=LocalEngine(),
            options=RunOptions(only=(variant.id,), one_at_a_time=True),
            progress=make_progress(),
        )
        kept = plan_features(plan, measure_speeds(plan, plan_flops(plan), store=store.root))
        uses = kept.use(f"{folder}/features")
        for key in variant.stages:
            if plan.stages[key].identity.kind == "train":
                _tell(plan.stages[key], uses.get(key), plan=plan, store=store)


def _tell(node: StageNode, use: FeatureUse | None, *, plan: Plan, store: Store) -> None:
    _run(node, use, plan, store)
    plain = _run(node, use, plan, store)
    if len(plain.times) < FEWEST_STEPS:
        print(f"\n{node.label}: too few steps to tell")
        return
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as found:
        began = time.perf_counter()
        profiled = _run(node, use, plan, store)
    events = [event for event in found.events() or () if not event.is_async]
    roots, names = _roots(events)
    first = (profiled.times[0] - began) * 1e6
    inside = sum(e.time_range.elapsed_us() for e in roots if e.time_range.start >= first) / 1e6
    print(f"\n{node.label}: {plain.seconds:.1f} s from the first step to the last")
    print(f"  inside operators  {inside / profiled.seconds:6.1%}")
    print(f"  profiled / plain  {profiled.seconds / plain.seconds:6.2f}")
    total = sum(names.values())
    for name, micros in names.most_common(MOST_NAMED):
        print(f"    {name:<44}{micros / total:6.1%}")


def _roots(events: Iterable[FunctionEvent]) -> tuple[list[FunctionEvent], Counter[str]]:
    """Operators that no other called, of the busiest thread; every operator's own time."""
    of_thread: Counter[int] = Counter()
    names: Counter[str] = Counter()
    roots: list[FunctionEvent] = []
    for event in events:
        names[event.name] += event.self_cpu_time_total
        if event.cpu_parent is None:
            roots.append(event)
            of_thread[event.thread] += event.time_range.elapsed_us()
    ((busiest, _),) = of_thread.most_common(1)
    return [event for event in roots if event.thread == busiest], names


def _run(node: StageNode, use: FeatureUse | None, plan: Plan, store: Store) -> Steps:
    """Run a stage; when its steps were."""
    steps = Steps()
    with tempfile.TemporaryDirectory() as folder:
        context = StageContext(
            out=Path(folder),
            parents={role: store.result(key) for role, key in node.parents.items()},
            chain=store.chain(node.parents.get("previous")),
            locations=node.locations,
            media_root=plan.media_root,
            execution=plan.sweep.execution.execution,
            report=steps,
            features=None if use is None else FeatureCache(use),
        )
        run_stage(node.identity, context)
    return steps


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sweep", type=Path, nargs="?", default=Path("sweeps/demo.yaml"))
    parser.add_argument("--variant", help="id of a replicate; absent = the first")
    parser.add_argument("--store", type=Path, help="keeps what is run once; absent = a passing one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
