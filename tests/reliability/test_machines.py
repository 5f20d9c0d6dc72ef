"""Machines that go away while stages run, and stages that no machine can hold."""

import threading

import pytest
from ray_machines import Machines
from slow_stages import of_stage, slow_stage, steps, went_on
from test_processes import in_the_midst, run, soon
from tiny_study import Study

from apollo_core.errors import ApolloError
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.store.scratch import scratch_folder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """A run in which one machine was lost and another one taken back with a warning."""
    study = Study(tmp_path_factory.mktemp("disturbed"))
    met = {}
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=0)
        names = {name: machines.add(cpus=1, TEST_NODE=name) for name in "abc"}

        def disturb():
            met["lost"] = soon(lambda: in_the_midst(study, "align"), "align under way")
            machines.kill(names[met["lost"]["node"]])
            met["taken back"] = soon(lambda: in_the_midst(study, "sft"), "sft under way")
            machines.take_back(names[met["taken back"]["node"]], within=0.3)

        thread = threading.Thread(target=disturb)
        thread.start()
        run(study, RayEngine(address=machines.address, ship=False))
        thread.join()
    return study, met


def test_a_machine_that_is_lost_costs_its_stage_one_attempt_and_no_step(disturbed, expected):
    study, met = disturbed
    key = met["lost"]["key"]
    assert [row.failure_class for row in study.store.failures(key)] == ["infra"]
    assert went_on(of_stage(study, key))
    assert len({each["node"] for each in steps(study) if each["key"] == key}) == 2
    assert study.scores() == expected


def test_a_machine_that_is_taken_back_costs_its_stage_no_attempt(disturbed):
    study, met = disturbed
    key = met["taken back"]["key"]
    assert {row.failure_class for row in study.store.failures(key)} <= {"preempted"}
    assert went_on(of_stage(study, key))


def test_a_cluster_that_loses_its_head_is_named_and_another_one_goes_on(
    tmp_path, expected, monkeypatch
):
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "2")
    study = Study(tmp_path)
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        head = machines.add(cpus=2)
        address = machines.address
        killed = []

        def kill(outcome):
            if not killed:
                killed.append(outcome)
                machines.kill(head)

        with pytest.raises(ApolloError, match=f"(?s){address} went away.*same command again"):
            run(study, RayEngine(address=address, ship=False), kill)
    assert killed
    kept = set(study.store.done_keys())
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        outcomes = run(study, RayEngine(address=machines.address, ship=False))
    assert kept
    assert not kept & outcomes.keys()
    assert study.scores() == expected


def test_a_stage_that_no_machine_can_hold_keeps_no_other_from_its_end(tmp_path):
    study = Study(tmp_path)
    study.store.prepare()
    tasks = study.tasks()
    large = [task.model_copy(update={"cpus": 4.0}) for task in tasks if task.label == "sft"]
    others = [task for task in tasks if task.kind == "pretrain"]
    ended = []
    with scratch_folder(longest=40) as folder, Machines(folder) as machines:
        machines.add(cpus=2)
        engine = RayEngine(address=machines.address, ship=False, patience=2)
        large = [task.model_copy(update={"parents": {}}) for task in large[:1]]
        with pytest.raises(ApolloError, match=r"sft: needs 4 CPUs.*largest machine has 2"):
            engine.run(Frontier([*large, *others]), run_stage=slow_stage, on_outcome=ended.append)
    assert {outcome.key for outcome in ended} == {task.key for task in others}
