"""`apollo run`: check everything, run what is not done, sum up. Running again is resuming."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from apollo_core.features.feature_use import FeatureUse
from orchestrator.cost.memory import StageMemory
from orchestrator.engine.attempt import RunStage, core_stage
from orchestrator.engine.decoders_needed import refuse_what_cannot_be_read
from orchestrator.engine.engine import Engine, refuse_what_never_fits
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.task import StageTask, task_of
from orchestrator.media_at_hand import check_media, make_world, name_absent_media
from orchestrator.plan.plan import Plan
from orchestrator.run_summary import RunSummary
from orchestrator.store import failures
from orchestrator.store.damage import undo_damaged
from orchestrator.store.provenance import code_hash
from orchestrator.store.retries import DAMAGED
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, record_of, register
from orchestrator.watching.estimates import Estimate, Estimates, Places, keep_estimates
from orchestrator.watching.progress import Progress

# Damage that comes back as fast as it is mended is a disk that has to be replaced.
_MENDED_AT_MOST = 2


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run is to do.

    Attributes:
        only: ids of the replicates to run; empty = all.
        retry_failed: try stages again that failed in a way that would fail again.
        seconds: planned duration by stage key; only the order of work depends on it.
        flops: planned FLOPs by stage key, to tell what sharing saves.
        features: what each stage may keep of frozen encoders' features, by stage key.
        memory: planned for each of a stage's GPUs, by stage key.
        one_at_a_time: the engine runs one stage after another, whatever the machine has.
        run_stage: the stage function.
    """

    only: tuple[str, ...] = ()
    retry_failed: bool = False
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    flops: Mapping[str, float] = field(default_factory=dict[str, float])
    features: Mapping[str, FeatureUse] = field(default_factory=dict[str, FeatureUse])
    memory: Mapping[str, StageMemory] = field(default_factory=dict[str, StageMemory])
    one_at_a_time: bool = False
    run_stage: RunStage = core_stage


def run_sweep(
    plan: Plan,
    store: Store,
    *,
    source: str,
    engine: Engine,
    options: RunOptions,
    progress: Progress,
    on_start: Callable[[SweepRecord, int], None] = lambda record, missing: None,
) -> RunSummary:
    """Run every stage that is asked for and not done.

    Results that turn out to be damaged when a stage is about to use them are made again, in a round
    of its own after all else, at most twice for the sake of one stage.

    Args:
        plan: the sweep.
        store: where results are and go.
        source: the sweep file's text, kept in the store.
        engine: what runs the stages; not touched when there is nothing to run.
        options: what to run.
        progress: shows what happens.
        on_start: called after all checks, with the number of stages that are not done.

    Raises:
        BadInput: the sweep cannot run as it is; nothing was started.
    """
    began = time.monotonic()
    first = summary = _round(plan, store, source, engine, options, progress, on_start)
    met: Counter[str] = Counter()
    while damaged := [each.key for each in summary.failed if each.failure_class == DAMAGED]:
        met.update(damaged)
        if max(met.values()) > _MENDED_AT_MOST:
            break
        progress.warn("results that had changed on disk are made again")
        rest = replace(options, retry_failed=False)
        summary = _round(plan, store, source, engine, rest, progress, lambda record, missing: None)
    return replace(summary, done_before=first.done_before, seconds=time.monotonic() - began)


def _round(
    plan: Plan,
    store: Store,
    source: str,
    engine: Engine,
    options: RunOptions,
    progress: Progress,
    on_start: Callable[[SweepRecord, int], None],
) -> RunSummary:
    """Look what is not done, and run it."""
    if plan.provisional and not plan.not_yet:
        name_absent_media(plan, progress)
    plan.require_runnable()
    for identifier in options.only:
        plan.variant(identifier)
    record = record_of(plan)
    wanted = record.only(options.only)
    undo_damaged(store, (key for key in wanted if plan.stages[key].identity.kind == "evaluate"))
    missing = [key for key in plan.stages if key in wanted and not store.is_done(key)]
    tasks = [
        task_of(
            plan.stages[key],
            plan,
            store,
            seconds=options.seconds.get(key, 0.0),
            features=options.features.get(key),
            memory=options.memory.get(key),
        )
        for key in missing
    ]
    places = places_of(tasks, engine)
    store.prepare()
    _warn_of_other_code(record, store, wanted.difference(missing), progress)
    if missing:
        make_world(plan, progress)
        check_media(plan, store, missing, progress)
    register(store, record, source)
    estimates = _estimates(plan, options, places)
    keep_estimates(store, record.name, estimates)
    on_start(record, len(missing))
    return run_tasks(
        tasks, record, store, engine, options, progress, wanted=wanted, estimates=estimates
    )


def run_tasks(
    tasks: list[StageTask],
    record: SweepRecord,
    store: Store,
    engine: Engine,
    options: RunOptions,
    progress: Progress,
    *,
    wanted: frozenset[str],
    estimates: Estimates,
) -> RunSummary:
    """Run what is not done of the stages `wanted`, and sum up.

    Args:
        tasks: those that are not done.
        record: what they belong to, registered in the store.
        store, engine, options, progress: as in `run_sweep`.
        wanted: keys of all stages asked for.
        estimates: of the stages, for the time left.
    """
    began = time.monotonic()
    failed = _stay_failed(store, [task.key for task in tasks], options)
    frontier = Frontier(tasks, {outcome.key: outcome.message for outcome in failed})

    def on_outcome(outcome: StageOutcome) -> None:
        if outcome.status == "failed":
            failed.append(outcome)
        progress.ended(outcome)

    keys = [task.key for task in tasks]
    with progress.showing(
        record, store, frontier, wanted=wanted, missing=keys, estimates=estimates
    ):
        for outcome in failed:
            progress.ended(outcome)
        if not frontier.is_finished:
            engine.run(frontier, run_stage=options.run_stage, on_outcome=on_outcome)
    return RunSummary(
        wanted=len(wanted),
        done_before=len(wanted) - len(tasks),
        done=len(wanted) - len(failed) - len(frontier.blocked),
        failed=tuple(failed),
        blocked=len(frontier.blocked),
        seconds=time.monotonic() - began,
    )


def places_of(tasks: list[StageTask], engine: Engine) -> Places | None:
    """What the engine can hand out, where it can tell.

    Raises:
        BadInput: a task is larger than all of it, or reads videos by what is not installed here.
    """
    if not tasks:
        return None
    capacity = engine.capacity(with_gpus=any(task.gpus for task in tasks))
    if capacity is None:
        return None
    refuse_what_never_fits(tasks, capacity)
    refuse_what_cannot_be_read(tasks)
    return Places(capacity.cpus, capacity.gpus)


def _estimates(plan: Plan, options: RunOptions, places: Places | None) -> Estimates:
    stages = {
        key: Estimate(
            seconds=options.seconds.get(key, 0.0),
            flops=options.flops.get(key, 0.0),
            cpus=node.cpus,
            gpus=node.gpus,
        )
        for key, node in plan.stages.items()
    }
    return Estimates(stages, None if options.one_at_a_time else places)


def _stay_failed(store: Store, missing: list[str], options: RunOptions) -> list[StageOutcome]:
    found: list[StageOutcome] = []
    for key in missing:
        recorded = store.failures(key)
        last = failures.stays_failed(recorded, retry_failed=options.retry_failed)
        if last:
            outcome = StageOutcome(key, "failed", last.failure_class, last.message, ran=False)
            found.append(outcome)
    return found


def _warn_of_other_code(
    record: SweepRecord, store: Store, done: frozenset[str], progress: Progress
) -> None:
    """Say when results in use were made by other source code; they are kept and used."""
    older: dict[str, int] = {}
    for key in done:
        kind = record.stages[key].kind
        if (store.provenance(key) or {}).get("code") != code_hash(kind):
            older[kind] = older.get(kind, 0) + 1
    for kind, count in sorted(older.items()):
        progress.warn(
            f"{count} done {kind} stages were made by other source code than today's; they are "
            f"used as they are. If that code changed results, raise the kind's stage version."
        )
