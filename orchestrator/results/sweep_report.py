"""The part of `apollo report SWEEP` before and after the statistics: tables in, view updated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from orchestrator.results.score_table import write_items
from orchestrator.store.stage_states import stage_states
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.tracking.kept_report import keep_report
from orchestrator.tracking.tracking import TrackingError, sync
from orchestrator.tracking.tracking_database import database

ITEM_TABLE = "items.csv.gz"

# What is told of the stages behind a report: by which code, where, and with what.
_MADE_BY = (
    *("commit", "host", "platform", "device", "processor_count"),
    *("torch", "transformers", "decord2", "apollo-sweeps"),
)


def provenance_of(record: SweepRecord, store: Store) -> dict[str, object]:
    """What a report says of where its scores come from."""
    states = Counter(state.state for state in stage_states(store, record.stages).values())
    kinds: dict[str, set[str]] = {name: set() for name in _MADE_BY}
    for key in record.stages:
        told = store.provenance(key) or {}
        packages = told.get("packages")
        if isinstance(packages, dict):
            told = {**told, **packages}
        for name, found in kinds.items():
            if told.get(name):
                found.add(str(told[name]))
    return {
        "sweep": record.name,
        "stages": ", ".join(f"{count} {state}" for state, count in sorted(states.items())),
        **{name: ", ".join(sorted(found)) for name, found in kinds.items() if found},
    }


def finish_report(
    record: SweepRecord, store: Store, written: Sequence[Path], *, folder: Path, uri: str | None
) -> str | None:
    """Add the item table to a report's folder; keep the report, and show it in the MLflow view.

    Args:
        record: the sweep.
        store: where its results lie.
        written: the files of the report in `folder`.
        folder: of the report.
        uri: of the tracking server; None = the store's own database, if it is there.

    Returns what to tell the user if the view could not be written.
    """
    items = folder / ITEM_TABLE
    write_items(record, store, items)
    keep_report(store, record.name, [*written, items], folder=folder)
    if uri is None and not database(store).is_file():
        return None
    try:
        sync(record, store, uri)
    except TrackingError as error:
        return f"{error}; the report itself is complete"
    return None
