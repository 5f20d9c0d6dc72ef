"""Workers and drivers that are killed, asked to stop, or crash, while stages run."""

import os
import signal
import threading
import time

import psutil
import pytest
from ray_machines import Machines
from slow_stages import of_stage, slow_stage, steps, went_on
from tiny_study import Study

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.store.lease import read_lease
from orchestrator.store.scratch import scratch_folder

pytestmark = pytest.mark.slow


def run(study, engine, on_outcome=lambda outcome: None):
    """Bring the study to its end; outcomes by key."""
    study.store.prepare()
    outcomes = []

    def take(outcome):
        outcomes.append(outcome)
        on_outcome(outcome)

    engine.run(Frontier(study.tasks()), run_stage=slow_stage, on_outcome=take)
    return {outcome.key: outcome for outcome in outcomes}


def soon(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


def in_the_midst(study, label):
    """A step of a stage of this label that has some more to go."""
    last = {each["key"]: each for each in steps(study) if each["label"] == label}
    return next((each for each in last.values() if 2 <= each["step"] <= 6), None)


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """A run in which one worker was killed and another asked to stop; and who they were."""
    study = Study(tmp_path_factory.mktemp("disturbed"))
    met = {}

    def disturb():
        for label, number in (("align", signal.SIGKILL), ("sft", signal.SIGTERM)):
            step = soon(lambda label=label: in_the_midst(study, label), f"{label} under way")
            os.kill(step["pid"], number)
            met[number] = step

    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        thread = threading.Thread(target=disturb)
        thread.start()
        run(study, RayEngine(address=machines.address, ship=False))
        thread.join()
    return study, met


def test_a_worker_that_is_killed_costs_one_attempt_and_no_step(disturbed, expected):
    study, met = disturbed
    key = met[signal.SIGKILL]["key"]
    assert [row.failure_class for row in study.store.failures(key)] == ["infra"]
    assert went_on(of_stage(study, key))
    assert study.scores() == expected


def test_a_worker_that_is_asked_to_stop_gives_its_lease_back_and_costs_no_attempt(
    disturbed, expected
):
    study, met = disturbed
    step = met[signal.SIGTERM]
    assert study.store.failures(step["key"]) == []
    assert went_on(of_stage(study, step["key"]))
    assert len({each["pid"] for each in steps(study) if each["key"] == step["key"]}) == 2


def drivers():
    """The processes that talk to Ray for this one."""
    return [
        child
        for child in psutil.Process().children()
        if "orchestrator.engine.ray.driver" in child.cmdline()
    ]


def test_an_interrupted_run_gives_its_leases_back_within_seconds(tmp_path):
    study = Study(tmp_path)
    began = []

    def interrupt():
        soon(lambda: in_the_midst(study, "align"), "training under way")
        began.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=0)
        machines.add(cpus=2)  # the workers are on another machine than the driver
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run(study, RayEngine(address=machines.address, ship=False))
        took = time.monotonic() - began[0]
        thread.join()
        workers = {each["pid"] for each in steps(study)}
        soon(lambda: not any(psutil.pid_exists(pid) for pid in workers), "no worker", seconds=5)
    assert took < 15
    leases = [read_lease(folder) for folder in (study.store.root / "attempts").iterdir()]
    assert leases
    assert not any(lease and lease.held for lease in leases)
    assert all(study.store.failures(task.key) == [] for task in study.tasks())
