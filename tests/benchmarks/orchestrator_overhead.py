"""What the orchestrator costs beside the work itself, and what plain Ray Tune costs beside it.

    .venv/bin/python tests/benchmarks/orchestrator_overhead.py

Three figures, all with the Ray engine on this machine:

- seconds outside training for each stage, on warm workers: many stages that take no time;
- wall time beside the ideal, (sum of stage times) / slots, of stages of known length;
- `apollo run` beside plain Ray Tune grid search with `MLflowLoggerCallback` on the same variants
  (`plain_tune.py`), one after the other in the same run: the demo's. Data and pretrained parts are
  made beforehand and given to both, since a study starts from published weights: what is compared
  is aligning, tuning and evaluating.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sleeping_stages import sleeping_stage, sleeping_task
from smaller_demo import smaller_demo

from orchestrator.engine.attempt import core_stage
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.engine.task import task_of
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "sweeps" / "demo.yaml"


@dataclass(frozen=True)
class Timed:
    """Stages of one length on the Ray engine.

    Attributes:
        stages, slots: how many stages, on how many processors.
        seconds: length of each.
        start: until the first stage began: Ray and its first workers start.
        wall: from the first stage's beginning to the last one's end.
        warm: seconds a stage and slot, from the end of each slot's first stage on.
    """

    stages: int
    slots: int
    seconds: float
    start: float
    wall: float
    warm: float

    @property
    def outside(self) -> float:
        """Seconds outside the stage's own work, for each stage on a warm worker."""
        return self.warm - self.seconds

    @property
    def over(self) -> float:
        """Wall time beyond the ideal, as a share of it; without the start of Ray."""
        return self.wall / (self.stages * self.seconds / self.slots) - 1

    @property
    def over_with_start(self) -> float:
        """The same with it."""
        return (self.start + self.wall) / (self.stages * self.seconds / self.slots) - 1


@dataclass(frozen=True)
class Compared:
    """One sweep, run both ways.

    Attributes:
        variants: in the sweep.
        stages, separate: those that we run, and those that run when nothing is shared.
        ours, plain: wall seconds of `apollo run`, and of plain Ray Tune.
    """

    variants: int
    stages: int
    separate: int
    ours: float
    plain: float


def timed(*, stages: int, seconds: float, slots: int = 2) -> Timed:
    """Run so many stages of this length, without parents, on a Ray of our own."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store")
        store.prepare()
        tasks = [sleeping_task(str(store.root), n, seconds) for n in range(stages)]
        began = time.perf_counter()
        ends: list[float] = []
        RayEngine(cpus=slots).run(
            Frontier(tasks),
            run_stage=sleeping_stage,
            on_outcome=lambda outcome: ends.append(time.perf_counter() - began),
        )
    assert len(ends) == stages
    start = ends[0] - seconds
    warm = (ends[-1] - ends[slots - 1]) * slots / (stages - slots)
    return Timed(stages, slots, seconds, start, ends[-1] - start, warm)


def compared(sweep: Path, *, slots: int = 2) -> Compared:
    """Run a sweep both ways, each on a store with its data and parts, and take the time."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        given, ours, plain = (Path(folder) / name for name in ("given", "ours", "plain"))
        plan = build_plan(load_sweep(sweep), store=given)
        parts = _make_data_and_parts(plan, Store(given))
        for store in (ours, plain):
            shutil.copytree(given, store)
        apollo = str(Path(sys.executable).parent / "apollo")
        peer = [sys.executable, str(HERE / "plain_tune.py"), "--cpus", str(slots)]
        seconds = [
            _seconds([apollo, "run", str(sweep), "--store", str(ours)]),
            _seconds([*peer, str(sweep), str(plain)]),
        ]
    separate = sum(key not in parts for each in plan.variants for key in each.stages)
    return Compared(len(plan.variants), len(plan.stages) - len(parts), separate, *seconds)


def told(*, stages: int, seconds: float, slots: int = 2, quick: bool = False) -> Iterator[str]:
    """The figures, a line each, as they are known; `quick` compares on a smaller demo."""
    short = timed(stages=stages, seconds=0.0, slots=slots)
    yield (
        f"outside training: {short.outside:.3f} s a stage ({short.stages} stages of no length, "
        f"warm workers, {slots} slots); Ray starts in {short.start:.1f} s"
    )
    long = timed(stages=6 * slots, seconds=seconds, slots=slots)
    yield (
        f"wall time over (sum of stage times) / slots: {long.over:.1%} for {long.stages} stages of "
        f"{seconds:g} s on {slots} slots; {long.over_with_start:.1%} with the start of Ray"
    )
    with tempfile.TemporaryDirectory() as folder:
        sweep = smaller_demo(DEMO, Path(folder)) if quick else DEMO
        both = compared(sweep, slots=slots)
    yield (
        f"{'a smaller' if quick else 'the'} demo, {both.variants} variants, their parts "
        f"pretrained beforehand: apollo run {both.ours:.0f} s ({both.stages} stages), "
        f"plain Ray Tune {both.plain:.0f} s "
        f"({both.separate} stages): {both.plain / both.ours:.2f} times as long"
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Time what the orchestrator adds to the work.")
    parser.add_argument("--stages", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--slots", type=int, default=2)
    given = parser.parse_args()
    for line in told(stages=given.stages, seconds=given.seconds, slots=given.slots):
        print(line, flush=True)


def _make_data_and_parts(plan: Plan, store: Store) -> frozenset[str]:
    """Fill a store with what both begin with; return the keys of the pretrained parts."""
    from apollo_core.microworld.world import generate

    assert plan.world is not None
    generate(plan.world, plan.media_root)
    store.prepare()
    parts = [node for node in plan.stages.values() if node.kind == "pretrain"]
    outcomes: list[StageOutcome] = []
    LocalEngine().run(
        Frontier([task_of(node, plan, store, seconds=0.0) for node in parts]),
        run_stage=core_stage,
        on_outcome=outcomes.append,
    )
    assert all(each.status == "done" for each in outcomes), outcomes
    return frozenset(each.key for each in outcomes)


def _seconds(command: list[str]) -> float:
    """How long a command takes; what it says is shown only where it fails."""
    began = time.perf_counter()
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)}: exit {ended.returncode}\n{ended.stderr[-3000:]}")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
