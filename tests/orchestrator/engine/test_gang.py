"""A stage that two processes run together: one result, one report, one end for all of them."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from ranked_stages import pids, ranked_stage
from ray_machines import Machines
from tiny_stages import key_of, tiny_task

from apollo_core.errors import LeaseLost
from apollo_core.stages.context import StageContext
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.gang import RankFailed, in_gang
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.local_gang import LocalGangs
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.store import cause_of_death, lease
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store


@pytest.fixture(scope="module")
def cluster():
    """One Ray for the module: starting it takes seconds."""
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        yield machines.address


@dataclass
class Swept:
    """What became of stages that an engine ran."""

    outcomes: dict[str, StageOutcome]
    store: Store
    traces: Path


@pytest.fixture(scope="module", params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def swept(request, tmp_path_factory):
    """Four stages of two ranks each, by each engine."""
    engine = LocalEngine()
    if request.param == "ray":
        engine = RayEngine(address=request.getfixturevalue("cluster"))
    folder = tmp_path_factory.mktemp(request.param)
    store, traces = prepared(folder)
    tasks = [
        task(store, traces, "a", seconds=9.0),
        task(store, traces, "b", "a", seconds=9.0),
        task(store, traces, "killed once"),
        task(store, traces, "diverges"),
    ]
    return Swept(run(engine, *tasks), store, traces)


def prepared(folder):
    """A store, and where ranks leave their traces."""
    store, traces = Store(folder / "store"), folder / "traces"
    store.prepare()
    traces.mkdir()
    return store, traces


def task(store, traces, name, *parents, seconds=1.0):
    own = tiny_task(store.root, name, parents=parents, where=traces, cpus=2, seconds=seconds)
    return own.model_copy(update={"processes": 2})


def run(engine, *tasks):
    """Outcomes by label."""
    frontier = Frontier(tasks)
    outcomes = []
    lock = threading.Lock()  # what a display holds can't be pickled

    def on_outcome(outcome):
        with lock:
            outcomes.append(outcome)

    engine.run(frontier, run_stage=ranked_stage, on_outcome=on_outcome)
    return {frontier.task(outcome.key).label: outcome for outcome in outcomes}


def left_alive(traces):
    """Processes that ran ranks and are still there after a while."""
    until = time.monotonic() + 10
    while any(map(is_alive, pids(traces))) and time.monotonic() < until:
        time.sleep(0.05)
    return [pid for pid in pids(traces) if is_alive(pid)]


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def test_the_first_rank_alone_reports_and_all_leave_one_result(swept):
    for name in "ab":
        assert swept.outcomes[name].status == "done"
        assert (swept.store.result(key_of(name)) / "ranks.txt").read_text() == "2"
        steps = [(row["step"], row["rank"]) for row in swept.store.metrics(key_of(name))]
        assert steps == [(1, 0), (2, 0), (3, 0), (4, 0)]


def test_warm_processes_are_used_again(swept):
    assert len(pids(swept.traces, "a")) == 2
    assert pids(swept.traces, "a") == pids(swept.traces, "b")


def test_the_failure_of_one_rank_is_the_stages(swept):
    outcome = swept.outcomes["diverges"]
    assert (outcome.status, outcome.failure_class) == ("failed", "diverged")
    assert outcome.message == "rank 1 of 2: loss is NaN at step 4"
    (failure,) = swept.store.failures(key_of("diverges"))
    assert "in ranked_stage" in failure.traceback, "what the rank was at is not recorded"


def test_a_stage_of_several_ranks_that_diverged_keeps_no_checkpoint(swept):
    assert not swept.store.checkpoints_folder(key_of("diverges")).exists()


def test_a_rank_that_is_killed_costs_one_attempt(swept):
    assert swept.outcomes["killed once"].status == "done"
    (failure,) = swept.store.failures(key_of("killed once"))
    assert failure.failure_class == "infra"
    assert "rank 1 of 2: its process went away" in failure.message
    assert len(pids(swept.traces, "killed once")) == 4
    assert not (swept.traces / "left killed once").exists()


def test_no_rank_outlives_the_run(swept):
    assert left_alive(swept.traces) == []


@pytest.fixture
def gang_run(tmp_path):
    """Run a stage by a gang of this machine, without an engine around it; no rank outlives it."""
    store, traces = prepared(tmp_path)

    def run_it(name, report):
        own = task(store, traces, name)
        out = tmp_path / "work" / "out"
        out.mkdir(parents=True)
        context = StageContext(out, {}, (), own.locations, tmp_path, own.execution, report)
        with LocalGangs() as gangs:
            in_gang(ranked_stage, lambda: gangs.of(2, own_gpu=False))(own.identity, context)

    yield run_it
    assert len(pids(traces)) == 2
    assert left_alive(traces) == []


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("memory", "oom", "rank 1 of 2: MemoryError: no room for 3 TiB"),
        ("killed always", "infra", "rank 1 of 2: its process went away (SIGKILL)"),
    ],
)
def test_a_failure_keeps_its_class_and_ends_ranks_that_wait(gang_run, name, kind, said):
    with pytest.raises(RankFailed) as failed:
        gang_run(name, lambda _: None)
    assert (failed.value.failure_class, str(failed.value)) == (kind, said)


HOLDER = """
import sys
from ranked_stages import ranked_stage
from orchestrator.engine.gang import in_gang
from orchestrator.engine.local_gang import LocalGangs
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import run_task

with LocalGangs() as gangs:
    stage = in_gang(ranked_stage, lambda: gangs.of(2, own_gpu=False))
    run_task(StageTask.model_validate_json(sys.stdin.read()), run_stage=stage)
"""


def test_of_ranks_that_hang_the_stack_of_each_is_kept_and_none_is_left(tmp_path):
    store, traces = prepared(tmp_path)
    own = task(store, traces, "hangs")
    quick = own.execution.model_copy(update={"stall_minutes": 3 / 60})
    ended = subprocess.run(
        [sys.executable, "-c", HOLDER],
        input=own.model_copy(update={"execution": quick}).model_dump_json(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert left_alive(traces) == []
    held = lease.try_acquire(store.attempts_folder(own.key), lease.Watch())
    assert held
    assert held.taken_from
    failure = cause_of_death.failure_of_holder(store.attempts_folder(own.key), held.taken_from)
    held.release()
    assert failure.failure_class == "stalled"
    waits, hangs = failure.traceback.split("On rank 1:")
    assert waits.startswith("On rank 0:")
    assert "in ranked_stage" in waits
    assert "in hang_in_native_code" in hangs


def test_a_lost_lease_ends_every_rank(gang_run):
    def lose(_):
        raise LeaseLost("taken over")

    with pytest.raises(LeaseLost):
        gang_run("outlives its lease", lose)
