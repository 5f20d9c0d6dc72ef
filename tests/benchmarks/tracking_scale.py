"""What the MLflow view costs beside the stages: one writer with whole batches, and a request a
metric as Ray Tune's MLflowLoggerCallback makes them.

A finished sweep of 300 replicates with three stages of 15 metrics at 200 steps, thinned as always,
is written to a new SQLite database by the code that follows a run. Stages of 10 s are the measure.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.store.store import Store
from orchestrator.store.sweep_record import StageRecord, SweepRecord, VariantRecord
from orchestrator.tracking.mlflow_writer import MlflowWriter, open_client
from orchestrator.tracking.tracked_points import is_shown
from orchestrator.tracking.tracking_database import default_uri

STAGES = ("align", "vision", "sft")
STAGE_SECONDS = 10.0
_TICK = 0.001


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How much there is to write."""

    replicates: int = 300
    metrics: int = 15
    points: int = 200

    @property
    def points_of_a_replicate(self) -> int:
        """Values of all metrics of all stages of a replicate that the view shows."""
        shown = sum(is_shown(step, self.points) for step in range(1, self.points + 1))
        return len(STAGES) * self.metrics * shown


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What writing took, in seconds for each replicate.

    Attributes:
        wall, cpu: of the writer.
        share: of the wall time of three stages of 10 s.
        late_ms: how late another thread of the same process wakes meanwhile, 99th percentile.
    """

    wall: float
    cpu: float
    share: float
    late_ms: float = 0.0


def sweep_of(shape: Shape, store: Store) -> SweepRecord:
    """A finished sweep of that shape in the store, with the events that its stages told."""
    variants, stages = [], {}
    for index in range(shape.replicates):
        keys = tuple(f"{index:04d}{position}".ljust(64, "0") for position in range(len(STAGES)))
        for key, label in zip(keys, STAGES, strict=True):
            stages[key] = StageRecord(kind="train", label=label, parents={})
            _finish(store, key, shape)
        variants.append(
            VariantRecord(
                id=f"d{index}@xs#0",
                design=f"d{index}",
                levels={"axis": f"d{index}"},
                scale="xs",
                scale_size=1.0,
                seed=0,
                resolved={"integration": "plain"},
                stages=keys,
                evaluations={},
            )
        )
    return SweepRecord(name="scale", variants=tuple(variants), stages=stages)


def _finish(store: Store, key: str, shape: Shape) -> None:
    folder = store.stage_folder(key)
    folder.mkdir(parents=True)
    with (folder / "metrics.jsonl").open("w") as file:
        for step in range(1, shape.points + 1):
            told = {f"m{number}": step / (number + 1) for number in range(shape.metrics)}
            event = {"step": step, "steps": shape.points, **told, "time": 1000.0 + step}
            file.write(json.dumps(event) + "\n")
    (folder / "DONE").write_text('{"files": {}}')


def batched(shape: Shape, folder: Path) -> Cost:
    """The writer of `orchestrator.tracking`: the runs made first, as at a run's start, then all
    points, and beside it a thread that wants to wake every millisecond, as an engine's does."""
    store = Store(folder / "store")
    record = sweep_of(shape, store)
    writer = MlflowWriter(record, store, default_uri(store))
    ticks = Ticks()
    wall, cpu = time.perf_counter(), time.thread_time()
    with ticks:
        writer.write(final=True)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    each = wall / shape.replicates
    share = each / (len(STAGES) * STAGE_SECONDS)
    return Cost(wall=each, cpu=cpu / shape.replicates, share=share, late_ms=ticks.late_ms())


def one_by_one(shape: Shape, folder: Path, *, replicates: int) -> Cost:
    """The same points of some replicates, a request for each value, as that callback logs them.

    Into the database of `batched`: its rows slow nothing down by as much as a request costs.
    """
    client = open_client(default_uri(Store(folder / "store")))
    experiment = client.create_experiment("one", artifact_location=(folder / "one").as_uri())
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(replicates):
        run = client.create_run(experiment).info.run_id
        for label in STAGES:
            for step in (
                each for each in range(1, shape.points + 1) if is_shown(each, shape.points)
            ):
                for number in range(shape.metrics):
                    client.log_metric(run, f"{label}/m{number}", step / (number + 1), step=step)
        client.set_terminated(run)
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    each = wall / replicates
    return Cost(wall=each, cpu=cpu / replicates, share=each / (len(STAGES) * STAGE_SECONDS))


class Ticks:
    """A thread that sleeps a millisecond again and again, and notes how late it wakes."""

    def __init__(self) -> None:
        self._late: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Ticks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def late_ms(self) -> float:
        """99th percentile, in milliseconds."""
        ordered = sorted(self._late) or [0.0]
        return 1000 * ordered[int(0.99 * (len(ordered) - 1))]

    def _run(self) -> None:
        while not self._stop.is_set():
            before = time.perf_counter()
            time.sleep(_TICK)
            self._late.append(time.perf_counter() - before - _TICK)


def measure(shape: Shape, *, one_by_one_of: int = 1) -> dict[str, Cost]:
    """Both ways, one after the other."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return {
            "one writer, log_batch": batched(shape, folder),
            "a request a metric": one_by_one(shape, folder, replicates=one_by_one_of),
        }


def lines(shape: Shape, costs: dict[str, Cost]) -> list[str]:
    """The table."""
    head = (
        f"{shape.replicates} replicates x {len(STAGES)} stages x {shape.metrics} metrics x "
        f"{shape.points} steps on SQLite; a replicate's stages take "
        f"{len(STAGES) * STAGE_SECONDS:g} s"
    )
    rows = [
        f"{name:<24} {cost.wall:>9.3f} {cost.cpu:>9.3f} {100 * cost.share:>9.2f} %"
        + (f" {cost.late_ms:>10.1f}" if cost.late_ms else "")
        for name, cost in costs.items()
    ]
    return [head, f"{'':<24} {'wall s':>9} {'CPU s':>9} {'of stages':>11} {'late ms':>10}", *rows]


def main() -> None:
    """Print the table; exit 1 if tracking adds 2 % or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replicates", type=int, default=300)
    parser.add_argument("--one-by-one", type=int, default=1, help="replicates of the comparison")
    options = parser.parse_args()
    shape = Shape(replicates=options.replicates)
    costs = measure(shape, one_by_one_of=options.one_by_one)
    print("\n".join(lines(shape, costs)))
    sys.exit(costs["one writer, log_batch"].share >= 0.02)


if __name__ == "__main__":
    main()
