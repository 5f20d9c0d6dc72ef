"""`apollo evaluate`: ask models of others what a sweep's evaluation asks. Again is resuming.

Their stages are those of a store like any other: leased, retried, resumed, and registered as a
sweep of the roster's name, whose variants are the models. So what reads a sweep reads them.
"""

from __future__ import annotations

from apollo_core.errors import BadInput
from orchestrator.engine.engine import Engine
from orchestrator.media_at_hand import check_asked_media
from orchestrator.roster_questions import questions_of, record_of_roster
from orchestrator.run import RunOptions, places_of, run_tasks
from orchestrator.run_summary import RunSummary
from orchestrator.spec.roster_types import Roster
from orchestrator.store.damage import undo_damaged
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, register
from orchestrator.watching.estimates import Estimate, Estimates, keep_estimates
from orchestrator.watching.progress import Progress


def run_roster(
    roster: Roster,
    store: Store,
    *,
    source: str,
    engine: Engine,
    options: RunOptions,
    progress: Progress,
) -> tuple[RunSummary, SweepRecord]:
    """Ask every model what is not answered yet.

    Raises:
        BadInput: the roster cannot be asked as it is; nothing was started.
    """
    questions = questions_of(roster, store)
    record = record_of_roster(roster, questions)
    tasks = {each.task.key: each.task for each in questions}
    undo_damaged(store, tasks)
    missing = [task for key, task in tasks.items() if not store.is_done(key)]
    places = places_of(missing, engine)
    if missing:
        _require_loadable(roster, {each.name for each in questions if each.task in missing})
        _make_world(roster, store, progress)
        if roster.data.microworld is None and roster.data.bad_media != "skip":
            check_asked_media(missing, roster.name, store, progress)
    store.prepare()
    register(store, record, source)
    stages = {key: Estimate(cpus=task.cpus, gpus=task.gpus) for key, task in tasks.items()}
    estimates = Estimates(stages, None if options.one_at_a_time else places)
    keep_estimates(store, record.name, estimates)
    summary = run_tasks(
        missing,
        record,
        store,
        engine,
        options,
        progress,
        wanted=frozenset(tasks),
        estimates=estimates,
    )
    return summary, record


def _make_world(roster: Roster, store: Store, progress: Progress) -> None:
    if roster.data.microworld is None:
        return
    from apollo_core.microworld.world import generate

    with progress.counting("microworld, files") as count:
        folder = roster.data.as_of_sweep.folder(store.root)
        generate(roster.data.microworld, folder, on_progress=count)


def _require_loadable(roster: Roster, names: set[str]) -> None:
    """Refuse now what no worker could load: a matter of seconds, and no weights are read."""
    from apollo_core.external.loading import external_config, load_processor

    problems: list[str] = []
    for name in sorted(names):
        model = roster.models[name]
        try:
            load_processor(model.folder, external_config(model.folder), model.frames_as)
        except BadInput as error:
            problems.append(f"models.{name}: {error}")
    if problems:
        raise BadInput("\n".join(problems))
