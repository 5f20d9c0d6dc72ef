"""Run one stage under a lease: the same code in every engine, in whatever process it runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from apollo_core.errors import LeaseLost
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import StageIdentity
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.task import StageTask
from orchestrator.store import failures, lease
from orchestrator.store.event_log import EventLog, carry_along
from orchestrator.store.provenance import provenance
from orchestrator.store.store import Store, Work

RunStage = Callable[[StageIdentity, StageContext], None]

# How often a worker looks whether another driver has finished the stage that both want.
_POLL = 0.25


def core_stage(identity: StageIdentity, context: StageContext) -> None:
    """Run a stage of `apollo_core`; only a worker pays for importing torch."""
    from apollo_core.stages.run import run_stage

    run_stage(identity, context)


def run_task(task: StageTask, *, run_stage: RunStage = core_stage) -> StageOutcome:
    """Bring a stage to its end: run it, or wait for the driver that is running it.

    A failure is recorded in the store and returned. Only what asks the process to stop
    (KeyboardInterrupt, SystemExit) passes through, with the lease given back.
    """
    started = time.monotonic()
    try:
        return _run_or_wait(task, run_stage, started=started)
    except Exception as error:  # the store itself failed: there is nowhere to record it
        return StageOutcome(
            task.key,
            "failed",
            failure_class=failures.class_of(error),
            message=failures.one_line(error),
            seconds=time.monotonic() - started,
        )


def _run_or_wait(task: StageTask, run_stage: RunStage, *, started: float) -> StageOutcome:
    store = Store(Path(task.store))
    watch = lease.Watch()
    while True:
        if store.is_done(task.key):
            seconds = time.monotonic() - started
            return StageOutcome(task.key, "done", seconds=seconds, ran=False)
        held = lease.try_acquire(store.attempts_folder(task.key), watch)
        if held is None:
            time.sleep(_POLL)
            continue
        try:
            outcome = _failed_elsewhere(store, task) or _run_held(store, task, held, run_stage)
        except LeaseLost:
            continue  # its new owner is at work: wait for that result
        finally:
            held.release()
        if outcome:
            return outcome


def _failed_elsewhere(store: Store, task: StageTask) -> StageOutcome | None:
    """The failure that another driver met in the meantime, if this one would meet it too."""
    new = store.failures(task.key)[task.failures_before :]
    failure = failures.stays_failed(new, retry_failed=False)
    if failure is None or store.is_done(task.key):
        return None
    return StageOutcome(task.key, "failed", failure.failure_class, failure.message, ran=False)


def _run_held(
    store: Store, task: StageTask, held: lease.Lease, run_stage: RunStage
) -> StageOutcome | None:
    """One attempt; None when the stage was finished between the look and the lease."""
    if store.is_done(task.key):
        return None
    attempts = store.attempts_folder(task.key)
    if held.taken_from and held.taken_from.epoch not in {
        row.attempt for row in store.failures(task.key)
    }:
        failures.record(attempts, _disappeared(held.taken_from))
    started = time.time()
    try:
        _attempt(store, task, held, run_stage, started=started)
    except LeaseLost:
        raise
    except Exception as error:
        failure = failures.failure_of(error, attempt=held.epoch)
        with held.guard():
            failures.record(attempts, failure)
        return StageOutcome(
            task.key,
            "failed",
            failure_class=failure.failure_class,
            message=failure.message,
            seconds=time.time() - started,
        )
    return StageOutcome(task.key, "done", seconds=time.time() - started)


def _attempt(
    store: Store, task: StageTask, held: lease.Lease, run_stage: RunStage, *, started: float
) -> None:
    checkpoints = store.checkpoints_folder(task.key)
    earlier = carry_along(checkpoints, store.logs_of_attempts(task.key))
    work = store.begin(task.key, held)
    with EventLog(work.metrics, earlier) as events:
        run_stage(task.identity, _context(store, task, held, work, events))
    held.check()
    store.publish(
        task.key,
        held,
        work,
        payload=task.payload(),
        provenance=provenance(
            task.kind, task.execution, attempt=held.epoch, started=started, ended=time.time()
        ),
    )
    shutil.rmtree(checkpoints, ignore_errors=True)


def _context(
    store: Store, task: StageTask, held: lease.Lease, work: Work, events: EventLog
) -> StageContext:
    def report(event: Event) -> None:
        held.check()
        events.write(event)

    return StageContext(
        out=work.out,
        parents={role: store.result(key) for role, key in task.parents.items()},
        chain=store.chain(task.parents.get("previous")),
        locations=task.locations,
        media_root=Path(task.media_root),
        execution=task.execution,
        report=report,
        checkpoints=store.checkpoints_folder(task.key),
    )


def _disappeared(holder: lease.LeaseRecord) -> failures.Failure:
    where = holder.owner.rsplit(":", 1)[0]
    return failures.Failure(
        failure_class=failures.INFRA,
        message=f"the worker {where} went away before the stage ended",
        attempt=holder.epoch,
        time=time.time(),
    )
