"""A driver that is killed, and two drivers on one store."""

import signal
import time

import pytest
from apollo_command import SWEEP, Apollo, processes_of, wait_until

from orchestrator.store.lease import looks_alive, read_lease
from orchestrator.store.store import open_store

pytestmark = pytest.mark.slow

# Two of Ray's own helpers look for their head for a minute before they give up; they hold nothing.
PATIENT = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}

LARGER_SCALE = '  s: {llm: "micro:qwen2-s", size: 0.000070}\n'
STAGES = 8


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """Half the stages will do."""
    path = tmp_path_factory.mktemp("sweep") / "half.yaml"
    assert LARGER_SCALE in SWEEP
    path.write_text(SWEEP.replace(LARGER_SCALE, ""))
    return path


@pytest.fixture(scope="module")
def scores(tmp_path_factory, temporary, sweep):
    """What comes of it when nothing breaks."""
    apollo = Apollo(tmp_path_factory.mktemp("alone") / "store", temporary)
    code, _, err = apollo("run", sweep, "--engine", "local")
    assert code == 0, err
    return apollo.scores(sweep)


def test_after_a_kill_the_same_command_goes_on_where_it_stopped(fresh, sweep, scores):
    driver = fresh.start("run", sweep)
    wait_until(fresh.is_at_work_after_training, seconds=120, what="training under way")
    kept = fresh.finished()
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert 0 < len(kept) < STAGES

    code, _, err = fresh("run", sweep)
    assert code == 0, err
    assert f"{STAGES} of {STAGES} stages done" in err
    after = fresh.finished()
    assert {key: after[key] for key in kept} == kept
    assert len(after) == STAGES
    # What was under way was begun twice, and no attempt is counted: its worker was asked to stop.
    # It left no record at all, unless it had to be killed since it could not stop in time.
    for key, attempt in fresh.attempts().items():
        recorded = [row.failure_class for row in open_store(fresh.store).failures(key)]
        assert recorded in ([], ["preempted"] * (attempt - 1))
        assert attempt <= 2
    assert fresh.scores(sweep) == scores
    assert processes_of(driver) <= PATIENT
    left = sorted(path.as_posix() for path in fresh.temporary.glob("*apollo-*/**/*"))
    assert not left


def test_ctrl_c_stops_within_seconds_and_says_how_to_go_on(fresh, sweep):
    driver = fresh.start("run", sweep)
    wait_until(lambda: any(fresh.store.glob("attempts/*/lease.json")), seconds=60, what="work")
    began = time.monotonic()
    driver.send_signal(signal.SIGINT)
    _, err = driver.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert driver.returncode == 1
    assert "run the same command again to go on" in err
    assert "Traceback" not in err
    leases = [read_lease(folder) for folder in fresh.store.glob("attempts/*")]
    assert leases
    assert not any(looks_alive(lease) for lease in leases)
    assert not list(fresh.store.glob("attempts/*/failures.jsonl"))
    wait_until(lambda: not processes_of(driver), seconds=10, what="Ray's processes end")
    assert not list(fresh.temporary.glob("*apollo-*"))


def test_a_terminal_that_is_closed_stops_the_run_as_ctrl_c_does(fresh, sweep):
    driver = fresh.start("run", sweep, "--engine", "local")
    wait_until(lambda: any(fresh.store.glob("attempts/*/lease.json")), seconds=60, what="work")
    driver.send_signal(signal.SIGHUP)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 1
    assert "run the same command again to go on" in err
    assert not any(looks_alive(read_lease(each)) for each in fresh.store.glob("attempts/*"))


def test_a_second_driver_waits_for_the_first_and_runs_no_stage_twice(fresh, sweep, scores):
    first = fresh.start("run", sweep)
    wait_until(lambda: any(fresh.store.glob("attempts/*/lease.json")), seconds=60, what="work")
    second = fresh.start("run", sweep)
    said = [driver.communicate(timeout=200)[1] for driver in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    assert all(f"{STAGES} of {STAGES} stages done" in err for err in said)
    assert set(fresh.attempts().values()) == {1}
    assert len(fresh.finished()) == STAGES
    assert fresh.scores(sweep) == scores
