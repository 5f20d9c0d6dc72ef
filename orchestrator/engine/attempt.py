"""One attempt at a stage, in whatever process: from an empty folder to a published result."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from apollo_core.execution import Execution
from apollo_core.features.feature_cache import FeatureCache
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import StageIdentity
from orchestrator.engine.places_needed import require_places
from orchestrator.engine.stage_usage import StageUsage
from orchestrator.engine.stall_watch import stall_watch
from orchestrator.engine.task import StageTask
from orchestrator.store import cause_of_death, lease
from orchestrator.store.event_log import EventLog, carry_along
from orchestrator.store.provenance import provenance
from orchestrator.store.store import JsonObject, Store, Work

RunStage = Callable[[StageIdentity, StageContext], None]


def core_stage(identity: StageIdentity, context: StageContext) -> None:
    """Run a stage of `apollo_core`; only a worker pays for importing torch."""
    from apollo_core.stages.run import run_stage

    require_places(context.locations, str(context.media_root))
    run_stage(identity, context)


def run_attempt(
    store: Store, task: StageTask, held: lease.Lease, run_stage: RunStage, execution: Execution
) -> None:
    """Run the stage and publish its result.

    Args:
        store: where it goes.
        task: the stage.
        held: the right to work on it.
        run_stage: what it does.
        execution: where and how fast this attempt runs.

    Raises:
        LeaseLost: another driver has taken the stage over.
        Exception: whatever the stage raises.
    """
    started = time.time()
    checkpoints = store.checkpoints_folder(task.key)
    earlier = carry_along(checkpoints, store.logs_of_attempts(task.key))
    work = store.begin(task.key, held)
    try:
        _run(store, task, held, work, run_stage, execution, earlier)
        held.check()
        store.publish(
            task.key,
            held,
            work,
            payload=task.payload(),
            provenance=provenance(
                task.kind, execution, attempt=held.epoch, started=started, ended=time.time()
            ),
        )
    except BaseException:
        # Half a result is of no use to anybody, and may be what filled the disk.
        shutil.rmtree(work.out, ignore_errors=True)
        raise
    shutil.rmtree(checkpoints, ignore_errors=True)


def _run(
    store: Store,
    task: StageTask,
    held: lease.Lease,
    work: Work,
    run_stage: RunStage,
    execution: Execution,
    earlier: list[JsonObject],
) -> None:
    """Run the stage, with its events written and its silence watched."""
    cause_of_death.note_beginning(work.folder)
    usage = StageUsage()
    with (
        EventLog(work.metrics, earlier) as events,
        stall_watch(execution.stall_minutes, work.folder / cause_of_death.STACK) as alive,
    ):

        def report(event: Event) -> None:
            held.check()
            alive()
            events.write(usage.beside(event))

        run_stage(task.identity, _context(store, task, work, execution, report))


def _context(
    store: Store,
    task: StageTask,
    work: Work,
    execution: Execution,
    report: Callable[[Event], None],
) -> StageContext:
    return StageContext(
        out=work.out,
        parents={role: store.result(key) for role, key in task.parents.items()},
        chain=store.chain(task.parents.get("previous")),
        locations=task.locations,
        media_root=Path(task.media_root),
        execution=execution,
        report=report,
        checkpoints=store.checkpoints_folder(task.key),
        features=FeatureCache(task.features) if task.features else None,
    )
