"""Where the seconds of one small trial go: how much of its training is inside torch's operators.

    python tests/benchmarks/micro_trial.py [SWEEP] [--variant ID] [--store DIR]

The replicate's stages are run, so that those before a stage are there. Then each of its training
stages is run three times in this process: once to warm up (imports, decoded frames, kept
features), once by the clock, once under torch's profiler. The share is the time in which the
training thread was inside an operator, over the time from the first to the last step, both under
the profiler, which costs itself time: `profiled / plain` says how much.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from one_variant import RunVariant, run_variant, variant_parser
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from apollo_core.features.feature_cache import FeatureCache
from orchestrator.plan.plan import StageNode

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
    with run_variant(variant_parser(__doc__).parse_args()) as variant:
        for node in variant.nodes:
            if node.identity.kind == "train":
                _tell(node, variant)


def _tell(node: StageNode, variant: RunVariant) -> None:
    _run(node, variant)
    plain = _run(node, variant)
    if len(plain.times) < FEWEST_STEPS:
        print(f"\n{node.label}: too few steps to tell")
        return
    with profile(activities=[ProfilerActivity.CPU], acc_events=True) as found:
        began = time.perf_counter()
        profiled = _run(node, variant)
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


def _run(node: StageNode, variant: RunVariant) -> Steps:
    """Run a stage; when its steps were."""
    steps = Steps()
    use = variant.uses.get(node.key)
    with tempfile.TemporaryDirectory() as folder:
        variant.again(
            node,
            Path(folder),
            features=None if use is None else FeatureCache(use),
            report=steps,
        )
    return steps


if __name__ == "__main__":
    main()
