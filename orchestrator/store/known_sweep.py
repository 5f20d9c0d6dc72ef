"""The sweep that a command means: a file, or the name of one that ran in this store."""

from __future__ import annotations

from pathlib import Path

from orchestrator.plan.graph import build_plan
from orchestrator.spec.roster_file import is_roster, load_roster
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord, record_of, registered


def known_sweep(sweep: Path, store: Store) -> SweepRecord:
    """The record of a sweep or roster file, or of that of this name which ran here last.

    Where the file's data are not at hand its keys are not final; then the record of its last run is
    taken, if there is one.

    Raises:
        BadInput: neither a readable file nor a known name.
    """
    # A folder of the same name lies where the command is given more often than one thinks.
    if not sweep.is_file() and sweep.suffix not in (".yaml", ".yml"):
        return registered(store, str(sweep))
    if is_roster(sweep):
        from orchestrator.roster_questions import questions_of, record_of_roster

        roster = load_roster(sweep)
        return record_of_roster(roster, questions_of(roster, store))
    plan = build_plan(load_sweep(sweep), store=store.root)
    ran = (store.root / "sweeps" / plan.name / "latest.json").is_file()
    return registered(store, plan.name) if plan.provisional and ran else record_of(plan)
