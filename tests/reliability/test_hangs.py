"""A stage that hangs is ended with its process, wherever it hangs, and tried once more."""

import subprocess
import sys

import pytest

from orchestrator.engine.worker import run_task
from orchestrator.store.stage_states import stage_state

# A regular expression that takes for ever holds the interpreter's lock all the while: no thread of
# Python, no signal handler and no heartbeat runs beside it.
HANGING = """
import re, sys
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import run_task

def hang(identity, context):
    context.report({"step": 1, "steps": 2, "loss": 1.0})
    re.match("(a+)+$", "a" * 64 + "b")

outcome = run_task(StageTask.model_validate_json(sys.stdin.read()), run_stage=hang)
print(outcome.failure_class, outcome.message)
"""


def work_on(task, *, timeout=30):
    """What a worker of its own says of the stage; it is given a second and a half per step."""
    quick = task.execution.model_copy(update={"stall_minutes": 0.025})
    return subprocess.run(
        [sys.executable, "-c", HANGING],
        input=task.model_copy(update={"execution": quick}).model_dump_json(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture
def study(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path)
    study.forget("align")
    return study


def test_a_stage_stuck_in_native_code_is_ended_and_its_successor_does_it(study, undisturbed):
    task = study.tasks()[0]
    assert work_on(task).returncode == 1
    assert stage_state(study.store, task.key).state == "waiting"
    assert run_task(task).status == "done"
    (failure,) = study.store.failures(task.key)
    assert (failure.failure_class, failure.then) == ("stalled", "again")
    assert "no step was reported" in failure.message
    assert "in hang" in failure.traceback
    assert [outcome.status for outcome in study.run()] == ["done"]
    assert study.scores() == undisturbed.scores()


def test_a_stage_that_hangs_twice_is_given_up_and_the_rest_goes_on(study):
    task, other = study.tasks()
    for _ in range(2):
        assert work_on(task).returncode == 1
    third = work_on(task)
    assert third.returncode == 0
    assert third.stdout.startswith("stalled no step was reported")
    assert "execution.stall_minutes" in third.stdout
    assert stage_state(study.store, task.key).failure_class == "stalled"
    assert run_task(other).status == "done"


def test_a_stage_that_reports_is_left_in_peace(study):
    import time

    def slow(identity, context):
        for step in range(1, 9):
            time.sleep(0.1)
            context.report({"step": step, "steps": 8, "loss": 1.0})
        (context.out / "x").write_text("")

    task = study.tasks()[0]
    quick = task.execution.model_copy(update={"stall_minutes": 0.5 / 60})
    outcome = run_task(task.model_copy(update={"execution": quick}), run_stage=slow)
    assert outcome.status == "done"
