"""Bring one stage to its end under a lease: the same in every engine, in whatever process it runs.

A stage that may be tried again is tried again here, at once. A worker that dies is replaced by the
engine; its successor finds out why it died, and asks the same rules (`orchestrator.store.retries`).
"""

from __future__ import annotations

import gc
import shutil
import sys
import time
from pathlib import Path

from apollo_core.errors import LeaseLost
from apollo_core.execution import Execution
from orchestrator.engine.attempt import RunStage, core_stage, run_attempt
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.task import StageTask
from orchestrator.store import failures, lease
from orchestrator.store.cause_of_death import failure_of_holder
from orchestrator.store.damage import require_whole_parents, withdraw
from orchestrator.store.failures import Failure
from orchestrator.store.retries import DIVERGED, INFRA, OOM, decide, pause_of_server
from orchestrator.store.store import Store

# How often a worker looks whether another driver has finished the stage that both want.
_POLL = 0.25


def run_task(task: StageTask, *, run_stage: RunStage = core_stage) -> StageOutcome:
    """Bring a stage to its end: run it, or wait for the driver that is running it.

    A failure is recorded in the store and returned. Only what asks the process to stop
    (KeyboardInterrupt, SystemExit) passes through, with the lease given back.
    """
    started = time.monotonic()
    unrecorded: list[str] = []
    while True:
        try:
            return _run_or_wait(task, run_stage, started=started)
        except Exception as error:  # the store itself failed: there is nowhere to record it
            failure = failures.failure_of(error, attempt=0)
        if failure.failure_class != INFRA or decide(INFRA, unrecorded).then != "again":
            return _failed(task, failures.given_up(failure), seconds=time.monotonic() - started)
        unrecorded.append(INFRA)
        time.sleep(pause_of_server(len(unrecorded)))


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
    failure = failures.stays_failed(_of_this_run(store, task), retry_failed=False)
    if failure is None or store.is_done(task.key):
        return None
    return _failed(task, failure, ran=False)


def _run_held(
    store: Store, task: StageTask, held: lease.Lease, run_stage: RunStage
) -> StageOutcome | None:
    """One attempt; None when the stage is to be looked at again: done meanwhile, or tried again."""
    if store.is_done(task.key):
        return None
    lost = _failure_of_predecessor(store, task, held)
    if lost and lost.then != "again":
        return _failed(task, lost)
    withdraw(store, task.key, held)
    started = time.time()
    try:
        require_whole_parents(store, task.parents)
        run_attempt(store, task, held, run_stage, _execution(store, task))
        return StageOutcome(task.key, "done", seconds=time.time() - started)
    except LeaseLost:
        raise
    except Exception as error:
        failure = failures.failure_of(error, attempt=held.epoch)
        of_server = isinstance(error, OSError) and failure.failure_class == INFRA
    # Beyond the except block, where the traceback no longer holds what the stage had in memory.
    failure = _recorded(store, task, held, failure)
    if failure.then != "again":
        return _failed(task, failure, seconds=time.time() - started)
    _let_go_of_memory()
    if of_server:  # nobody else would fare better meanwhile, so the lease is kept
        known = [row.failure_class for row in _of_this_run(store, task)]
        time.sleep(pause_of_server(known.count(INFRA)))
    return None


def _failure_of_predecessor(store: Store, task: StageTask, held: lease.Lease) -> Failure | None:
    """Record why the worker that had this lease is gone, unless it could say so itself."""
    holder = held.taken_from
    if holder is None or holder.epoch in {row.attempt for row in store.failures(task.key)}:
        return None
    attempts = store.attempts_folder(task.key)
    return _recorded(store, task, held, failure_of_holder(attempts, holder))


def _recorded(store: Store, task: StageTask, held: lease.Lease, failure: Failure) -> Failure:
    """Decide what follows from a failure, and record both."""
    size = _micro_batch(store, task) if failure.failure_class == OOM else None
    failure = failures.decided(failure, _of_this_run(store, task), micro_batch=size)
    with held.guard():
        if failure.failure_class == DIVERGED:
            _forget_checkpoints(store, task)
        failures.record(store.attempts_folder(task.key), failure)
    return failure


def _forget_checkpoints(store: Store, task: StageTask) -> None:
    """What made the loss diverge may have been in the weights for many steps, finite at first."""
    folder = store.checkpoints_folder(task.key)
    if folder.is_dir():
        shutil.rmtree(folder)


def _of_this_run(store: Store, task: StageTask) -> list[Failure]:
    return store.failures(task.key)[task.failures_before :]


def _execution(store: Store, task: StageTask) -> Execution:
    """As asked for, with the micro-batch that an earlier lack of memory left."""
    bound = failures.largest_micro_batch(store.failures(task.key))
    if bound is None:
        return task.execution
    return task.execution.model_copy(update={"micro_batch": min(bound, _micro_batch(store, task))})


def _micro_batch(store: Store, task: StageTask) -> int:
    """Samples per forward of an attempt made now."""
    from apollo_core.stages.micro_batches import micro_batch_of  # imports torch

    bound = failures.largest_micro_batch(store.failures(task.key))
    asked = micro_batch_of(task.identity, task.execution, ranks=task.processes)
    return asked if bound is None else min(bound, asked)


def _let_go_of_memory() -> None:
    """What the last attempt held is not to stand in the way of the next."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _failed(
    task: StageTask, failure: Failure, *, seconds: float = 0.0, ran: bool = True
) -> StageOutcome:
    return StageOutcome(
        task.key, "failed", failure.failure_class, failure.message, seconds=seconds, ran=ran
    )
