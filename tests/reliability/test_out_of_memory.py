"""A stage that runs out of memory goes on with half the micro-batch, and ends as if it had not."""

import json
import math
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from memory_group import memory_group
from slow_stages import hungry_gang_stage
from tiny_study import Study

from apollo_core.stages import assembly
from orchestrator.engine.gang import in_gang
from orchestrator.engine.local_gang import LocalGangs
from orchestrator.engine.worker import run_task
from orchestrator.store import cause_of_death
from orchestrator.store.lease import read_lease

MIB = 1 << 20
# Stated in docs/reliability.md: of a loss, relative; of an answer's log-likelihood, absolute.
LOSS_TOLERANCE = 1e-5
ANSWER_TOLERANCE = 1e-4


def address_space() -> int:
    """Bytes that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def reserve(size: int, *, room: int) -> None:
    """Take memory and give it back, where the process may only take `room` bytes more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + room, hard))
    try:
        torch.empty(size, dtype=torch.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture
def room_for(monkeypatch):
    """Let the language model take no more than so many rows at once: more do not fit in memory."""
    whole = assembly.load_llm
    limit = {"rows": math.inf}

    def take(module, args, kwargs):
        rows = len(kwargs["inputs_embeds"])
        if math.isfinite(limit["rows"]):
            reserve(rows * 512 * MIB, room=int((limit["rows"] + 0.5) * 512 * MIB))

    def hungry(*args, **kwargs):
        model, tokenizer = whole(*args, **kwargs)
        model.register_forward_pre_hook(take, with_kwargs=True)
        return model, tokenizer

    monkeypatch.setattr(assembly, "load_llm", hungry)

    def rows(count: float) -> None:
        limit["rows"] = count

    return rows


def losses(study: Study, key: str) -> list[float]:
    return [float(str(each["loss"])) for each in study.store.metrics(key) if "loss" in each]


def answers(study: Study, key: str) -> list[float]:
    rows = (study.store.result(key) / "items.jsonl").read_text().splitlines()
    return [value for row in rows for value in json.loads(row)["log_likelihoods"]]


def test_memory_that_runs_out_halves_the_micro_batch_and_the_study_ends_the_same(
    undisturbed, tmp_path, room_for
):
    study = undisturbed.copy(tmp_path)
    study.forget("align", "sft", "evaluate")
    room_for(4)
    assert {outcome.status for outcome in study.run()} == {"done"}
    for label in ("align", "sft"):
        for key in study.keys(label):
            (failure,) = study.store.failures(key)
            assert (failure.failure_class, failure.then) == ("oom", "again")
            assert (failure.micro_batch, failure.next_micro_batch) == (8, 4)
            assert study.store.provenance(key)["execution"]["micro_batch"] == 4
            assert losses(study, key) == pytest.approx(losses(undisturbed, key), rel=LOSS_TOLERANCE)
    for key in study.keys("evaluate"):
        assert answers(study, key) == pytest.approx(answers(undisturbed, key), abs=ANSWER_TOLERANCE)
    assert study.scores() == undisturbed.scores()


def test_the_next_run_does_not_start_at_the_size_that_failed(undisturbed, tmp_path, room_for):
    study = undisturbed.copy(tmp_path)
    study.forget("align")
    (key, *_) = study.keys("align")
    room_for(2)
    seen = []

    def stopped(identity, context):
        """As by Ctrl-C, when the second attempt has begun."""
        seen.append(context.execution.micro_batch)
        if len(seen) == 2:
            raise KeyboardInterrupt
        from apollo_core.stages.run import run_stage

        run_stage(identity, context)

    task = next(task for task in study.tasks() if task.key == key)
    with pytest.raises(KeyboardInterrupt):
        run_task(task, run_stage=stopped)
    again = next(task for task in study.tasks() if task.key == key)
    assert run_task(again, run_stage=stopped).status == "done"
    assert seen == ["auto", 4, 4, 2]
    assert [row.micro_batch for row in study.store.failures(key)] == [8, 4]


def test_one_sample_too_large_ends_the_stage_and_says_what_to_do(undisturbed, tmp_path, room_for):
    study = undisturbed.copy(tmp_path, execution='{workers: 0, packing: "off", micro_batch: 1}')
    study.forget("sft")
    room_for(0)
    task = study.tasks()[0]
    outcome = run_task(task)
    assert (outcome.status, outcome.failure_class) == ("failed", "oom")
    for said in ("micro_batch 1", "activation_checkpointing", "--retry-failed"):
        assert said in outcome.message
    assert len(study.store.failures(task.key)) == 1
    room_for(math.inf)  # mended
    again = next(each for each in study.tasks() if each.key == task.key)
    assert run_task(again).status == "done"


HUNGRY = """
import sys
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import run_task

def eat(identity, context):
    kept = []
    while True:
        kept.append(bytearray(8 << 20))

run_task(StageTask.model_validate_json(sys.stdin.read()), run_stage=eat)
"""


@pytest.fixture
def small_group():
    """A group of processes that the kernel gives 200 MiB, to be joined by writing to a file."""
    with ExitStack() as stack:
        try:
            joined_by = stack.enter_context(memory_group(200 * MIB))
        except OSError as error:
            pytest.skip(str(error))
        yield joined_by


def test_a_worker_that_the_kernel_kills_for_memory_is_told_from_one_that_was_only_killed(
    undisturbed, tmp_path, small_group
):
    study = undisturbed.copy(tmp_path)
    study.forget("align")
    task = study.tasks()[0]
    join = f"open({str(small_group)!r}, 'w').write('0')\n"
    eater = subprocess.run(
        [sys.executable, "-c", join + HUNGRY], input=task.model_dump_json(), text=True, check=False
    )
    assert eater.returncode == -9
    assert run_task(task).status == "done"
    (failure,) = study.store.failures(task.key)
    assert (failure.failure_class, failure.next_micro_batch) == ("oom", 4)
    assert "the kernel killed for memory" in failure.message


def test_a_rank_that_the_kernel_kills_for_memory_halves_the_micro_batch_too(
    undisturbed, tmp_path, small_group, monkeypatch
):
    study = undisturbed.copy(tmp_path)
    study.forget("align")
    task = study.tasks()[0].model_copy(update={"processes": 2})
    monkeypatch.setenv("TEST_GROUP", str(small_group))
    with LocalGangs() as gangs:
        stage = in_gang(hungry_gang_stage, lambda: gangs.of(2, own_gpu=False))
        assert run_task(task, run_stage=stage).status == "done"
    (failure,) = study.store.failures(task.key)
    assert (failure.failure_class, failure.then) == ("oom", "again")
    assert failure.next_micro_batch
    assert "rank 1 of 2: its process went away (SIGKILL, and the kernel" in failure.message


def test_what_the_cluster_says_of_a_dead_worker_is_taken_over(undisturbed, tmp_path):
    study = undisturbed.copy(tmp_path)
    study.forget("align")
    task = study.tasks()[0]
    attempts = study.store.attempts_folder(task.key)
    killed = "import os, signal\n" + HUNGRY.replace("kept = []", "os.kill(os.getpid(), 9)")
    subprocess.run(
        [sys.executable, "-c", killed], input=task.model_dump_json(), text=True, check=False
    )
    held = read_lease(attempts)
    assert held
    assert held.held
    cause_of_death.leave_word(attempts, "oom", "Ray's memory monitor ended it")
    assert run_task(task).status == "done"
    (failure,) = study.store.failures(task.key)
    assert failure.failure_class == "oom"
    assert failure.message.startswith("Ray's memory monitor ended it (at micro_batch 8)")
