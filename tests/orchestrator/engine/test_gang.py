"""A stage that two processes run together: one result, one report, one end for all of them."""

import os
import threading
import time
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
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store


@pytest.fixture(scope="module")
def cluster():
    """One Ray for the module: starting it takes seconds."""
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        yield machines.address


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request):
    if request.param == "local":
        return LocalEngine()
    return RayEngine(address=request.getfixturevalue("cluster"))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()
    return store


@pytest.fixture
def traces(tmp_path):
    """Where ranks leave their traces; none of them lives when the test is over."""
    folder = tmp_path / "traces"
    folder.mkdir()
    yield folder
    ours = {os.getpid()}
    until = time.monotonic() + 10
    while any(map(is_alive, pids(folder) - ours)) and time.monotonic() < until:
        time.sleep(0.05)
    assert [pid for pid in pids(folder) - ours if is_alive(pid)] == []


def is_alive(pid):
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def run(engine, *tasks):
    """Outcomes by label."""
    frontier = Frontier(tasks)
    outcomes = []
    lock = threading.Lock()

    def on_outcome(outcome):
        with lock:
            outcomes.append(outcome)

    engine.run(frontier, run_stage=ranked_stage, on_outcome=on_outcome)
    return {frontier.task(outcome.key).label: outcome for outcome in outcomes}


def task(store, traces, name, *parents):
    own = tiny_task(store.root, name, parents=parents, where=traces, cpus=2)
    return own.model_copy(update={"processes": 2})


def test_the_first_rank_alone_reports_and_all_leave_one_result(engine, store, traces):
    outcomes = run(engine, task(store, traces, "a"), task(store, traces, "b", "a"))
    assert {outcome.status for outcome in outcomes.values()} == {"done"}
    for name in "ab":
        key = key_of(name)
        assert (store.result(key) / "ranks.txt").read_text() == "2"
        steps = [(row["step"], row["rank"]) for row in store.metrics(key)]
        assert steps == [(1, 0), (2, 0), (3, 0), (4, 0)]
    assert len(pids(traces, "a")) == 2
    assert pids(traces, "a") == pids(traces, "b"), "warm processes were not used again"


def test_the_failure_of_one_rank_is_the_stages(engine, store, traces):
    outcome = run(engine, task(store, traces, "diverges"))["diverges"]
    assert (outcome.status, outcome.failure_class) == ("failed", "diverged")
    assert outcome.message == "rank 1 of 2: loss is NaN at step 4"
    (failure,) = store.failures(key_of("diverges"))
    assert "in ranked_stage" in failure.traceback, "what the rank was at is not recorded"


def test_a_rank_that_is_killed_costs_one_attempt(engine, store, traces):
    outcome = run(engine, task(store, traces, "killed once"))["killed once"]
    assert outcome.status == "done"
    (failure,) = store.failures(key_of("killed once"))
    assert failure.failure_class == "infra"
    assert "rank 1 of 2: its process went away" in failure.message
    assert len(pids(traces)) == 4


@pytest.fixture
def gang_run(store, traces, tmp_path):
    """Run a stage by a gang of this machine, without an engine around it."""

    def run_it(name, report):
        own = task(store, traces, name)
        out = tmp_path / "work" / "out"
        out.mkdir(parents=True)
        context = StageContext(out, {}, (), own.locations, tmp_path, own.execution, report)
        with LocalGangs() as gangs:
            in_gang(ranked_stage, lambda: gangs.of(2, own_gpu=False))(own.identity, context)

    return run_it


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


def test_a_lost_lease_ends_every_rank(gang_run, traces):
    def lose(_):
        raise LeaseLost("taken over")

    with pytest.raises(LeaseLost):
        gang_run("outlives its lease", lose)
    assert len(pids(traces)) == 2
