import errno
import threading
import time

import pytest
from tiny_stages import digest_stage, key_of, runs, tiny_task

from apollo_core.errors import DecodeFailed
from apollo_core.redaction import redact
from orchestrator.engine.worker import run_task
from orchestrator.store import failures
from orchestrator.store.lease import looks_alive, read_lease
from orchestrator.store.retries import SERVER_PAUSES
from orchestrator.store.store import Store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()
    return store


def test_a_done_stage_is_not_run_again(store, tmp_path):
    task = tiny_task(store.root, "a", where=tmp_path)
    assert run_task(task, run_stage=digest_stage).ran
    assert not run_task(task, run_stage=digest_stage).ran
    assert runs(tmp_path) == ["a"]


def test_a_failure_is_recorded_with_its_class_and_the_next_attempt_counts_up(store):
    task = tiny_task(store.root, "diverges")
    for before in range(2):
        again = task.model_copy(update={"failures_before": before})
        outcome = run_task(again, run_stage=digest_stage)
        assert (outcome.status, outcome.failure_class) == ("failed", "diverged")
        assert outcome.message == "loss is NaN at step 4"
    rows = store.failures(task.key)
    assert [row.attempt for row in rows] == [1, 2]
    assert "Diverged" in rows[0].traceback
    assert not looks_alive(read_lease(store.attempts_folder(task.key)))


def test_a_failure_that_another_driver_met_meanwhile_is_not_met_again(store, tmp_path):
    def drive():
        # Both drivers began before either had failed.
        outcomes.append(run_task(tiny_task(store.root, name, where=tmp_path), run_stage=slow))

    def slow(identity, context):
        time.sleep(0.3)
        digest_stage(identity, context)

    name, outcomes = "diverges", []
    drivers = [threading.Thread(target=drive) for _ in range(2)]
    for driver in drivers:
        driver.start()
    for driver in drivers:
        driver.join()
    assert runs(tmp_path) == [name]
    assert {outcome.message for outcome in outcomes} == {"loss is NaN at step 4"}
    assert sorted(outcome.ran for outcome in outcomes) == [False, True]
    assert len(store.failures(key_of(name))) == 1


def test_a_machines_failure_that_another_driver_met_is_tried_again(store, tmp_path):
    attempts = store.attempts_folder(key_of("a"))
    failures.record(attempts, failures.Failure(failures.INFRA, "went away", 1, 0.0))
    task = tiny_task(store.root, "a", where=tmp_path)
    assert run_task(task, run_stage=digest_stage).status == "done"


def test_the_metrics_of_a_running_stage_can_be_read(store):
    seen = []

    def watched(identity, context):
        context.report({"step": 1, "steps": 2, "loss": 0.5})
        seen.extend(store.metrics(key_of("a")))
        (context.out / "x").write_text("")

    run_task(tiny_task(store.root, "a"), run_stage=watched)
    assert seen[0]["loss"] == 0.5
    assert seen[0]["time"] > 0


def test_a_stop_request_gives_the_lease_back_and_is_no_failure(store):
    def interrupted(identity, context):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_task(tiny_task(store.root, "a"), run_stage=interrupted)
    left = read_lease(store.attempts_folder(key_of("a")))
    assert left is not None
    assert not left.held
    assert store.failures(key_of("a")) == []


def test_a_store_that_breaks_is_an_outcome_not_an_exception(tmp_path):
    (tmp_path / "store").write_text("a file")
    outcome = run_task(tiny_task(tmp_path / "store", "a"), run_stage=digest_stage)
    assert outcome.status == "failed"


def stopped_at(last, *, begin=1, keep=True):
    """A stage that reports from `begin` on, keeps a checkpoint, and is stopped after `last`."""

    def stage(identity, context):
        if keep:
            context.checkpoints.mkdir(exist_ok=True)
            (context.checkpoints / "state").write_text("")
        for step in range(begin, last + 1):
            context.report({"step": step, "steps": 9, "loss": step + begin / 10})
        raise KeyboardInterrupt

    return stage


def finished_from(begin):
    """The same, which gets to its end."""

    def stage(identity, context):
        for step in range(begin, 10):
            context.report({"step": step, "steps": 9, "loss": step + begin / 10})
        (context.out / "x").write_text("")

    return stage


def attempt(store, stage):
    try:
        return run_task(tiny_task(store.root, "a"), run_stage=stage)
    except KeyboardInterrupt:
        return None


def test_events_of_earlier_attempts_stand_before_those_of_one_that_goes_on(store):
    attempt(store, stopped_at(5))
    attempt(store, stopped_at(3, begin=4))  # stopped before its first event
    attempt(store, stopped_at(6, begin=4))
    attempt(store, finished_from(6))
    assert store.is_done(key_of("a"))
    events = store.metrics(key_of("a"))
    assert [event["step"] for event in events] == list(range(1, 10))
    assert [round(event["loss"] % 1, 1) for event in events] == [0.1] * 3 + [0.4] * 2 + [0.6] * 4


def test_a_stage_stopped_after_its_last_step_has_the_events_of_the_attempt_before(store):
    def nothing_left(identity, context):
        (context.out / "x").write_text("")

    attempt(store, stopped_at(9))
    attempt(store, nothing_left)
    assert store.is_done(key_of("a"))
    assert [event["step"] for event in store.metrics(key_of("a"))] == list(range(1, 10))


def test_an_event_that_tells_only_where_an_attempt_went_on_hides_no_step(store):
    def resumed(identity, context):
        context.report({"step": 9, "steps": 9, "resumed_after": 9})
        (context.out / "x").write_text("")

    attempt(store, stopped_at(9))
    attempt(store, resumed)
    events = store.metrics(key_of("a"))
    assert [event["step"] for event in events] == [*range(1, 10), 9]
    assert ["loss" in event for event in events] == [True] * 9 + [False]


def test_a_stage_that_begins_anew_has_its_own_events_only(store):
    attempt(store, stopped_at(5))
    attempt(store, finished_from(1))
    assert [event["step"] for event in store.metrics(key_of("a"))] == list(range(1, 10))


def test_checkpoints_outlive_an_attempt_and_go_when_the_stage_is_done(store):
    folder = store.checkpoints_folder(key_of("a"))
    attempt(store, stopped_at(2))
    assert (folder / "state").exists()
    attempt(store, finished_from(3))
    assert not folder.exists()
    assert store.is_done(key_of("a"))


def test_a_server_that_went_away_is_given_time_to_come_back(store):
    tries = []

    def unsteady(identity, context):
        tries.append(time.monotonic())
        if len(tries) == 1:
            raise OSError(errno.ESTALE, "Stale file handle")
        (context.out / "x").write_text("")

    task = tiny_task(store.root, "a")
    assert run_task(task, run_stage=unsteady).status == "done"
    assert tries[1] - tries[0] > SERVER_PAUSES[0] / 2
    assert [row.failure_class for row in store.failures(task.key)] == ["infra"]


class OutOfMemoryError(RuntimeError):
    """Named as torch's is."""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DecodeFailed("a.mp4", "no moov atom"), "data"),
        (MemoryError(), "oom"),
        (OutOfMemoryError("CUDA"), "oom"),
        (RuntimeError("CUDA error: out of memory"), "oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "disk"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), "oom"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom"),
        (OSError(errno.ESTALE, "Stale file handle"), "infra"),
        (ValueError("x"), "error"),
    ],
)
def test_an_exception_is_sorted_into_its_failure_class(error, expected):
    assert failures.class_of(error) == expected


def test_only_what_another_try_can_help_is_tried_again_without_being_asked():
    def failed(name):
        return [failures.Failure(name, "m", 1, 0.0)]

    assert failures.stays_failed([], retry_failed=False) is None
    assert failures.stays_failed(failed("infra"), retry_failed=False) is None
    assert failures.stays_failed(failed("diverged"), retry_failed=False) == failed("diverged")[0]
    assert failures.stays_failed(failed("diverged"), retry_failed=True) is None


def test_credentials_are_taken_out_of_messages():
    text = redact("at https://me:pw@host/x?token=abc&page=1 and postgresql+psycopg://u:p@db/x")
    assert text == "at https://***@host/x?token=***&page=1 and postgresql+psycopg://***@db/x"
