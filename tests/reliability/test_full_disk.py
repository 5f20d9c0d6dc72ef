"""A disk that fills up while a stage writes: nothing half-written counts, and space mends it."""

import subprocess
import time

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from tiny_study import Study

from orchestrator.engine.worker import run_task
from orchestrator.store import failures, lease
from orchestrator.store.stage_states import stage_state


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        made = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    if not made:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def study(undisturbed, small_disk) -> Study:
    study = undisturbed.copy(small_disk)
    study.forget("sft", "evaluate")
    return study


def fill(folder, *, leave: int):
    """Leave no more than so many bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"\0" * 4096)
            except OSError:
                break
    with ballast.open("r+b") as file:
        file.truncate(max(0, ballast.stat().st_size - leave))
    return ballast


def test_a_stage_on_a_full_disk_fails_whole_and_the_next_run_does_it(
    study, small_disk, undisturbed
):
    ballast = fill(small_disk, leave=64 << 10)
    task = study.tasks()[0]
    outcome = run_task(task)
    assert (outcome.status, outcome.failure_class) == ("failed", "disk")
    assert "free space where the store" in outcome.message
    assert not study.store.is_done(task.key)
    assert not study.store.stage_folder(task.key).exists()
    assert task.key in {each.key for each in study.tasks()}
    recorded = study.store.failures(task.key)
    assert failures.stays_failed(recorded, retry_failed=False) is None
    assert stage_state(study.store, task.key).state in ("failed", "waiting")

    ballast.unlink()
    assert {outcome.status for outcome in study.run()} == {"done"}
    assert study.scores() == undisturbed.scores()


def test_a_disk_without_a_byte_left_is_an_outcome_too(study, small_disk):
    ballast = fill(small_disk, leave=0)
    outcome = run_task(study.tasks()[0])
    assert (outcome.status, outcome.failure_class) == ("failed", "disk")
    ballast.unlink()
    assert study.store.failures(study.tasks()[0].key) == []


def test_a_lease_that_cannot_be_given_back_takes_no_result_away(small_disk):
    held = lease.try_acquire(small_disk / "attempt", lease.Watch())
    assert held
    ballast = fill(small_disk, leave=0)
    held.release()
    ballast.unlink()
    left = lease.read_lease(small_disk / "attempt")
    assert left
    assert left.held
    waiting = lease.Watch(stale_after=0.1)
    assert not waiting.is_free(left)
    time.sleep(0.15)
    assert waiting.is_free(left)


def test_weights_that_find_no_place_say_so_whoever_writes_them(small_disk):
    fill(small_disk, leave=8192)
    with pytest.raises((SafetensorError, OSError)) as raised:
        save_file({"x": torch.zeros(1 << 16)}, small_disk / "weights.safetensors")
    assert failures.class_of(raised.value) == "disk"
