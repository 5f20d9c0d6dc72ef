"""The document of `apollo status --json`: from the store alone, for programs."""

from __future__ import annotations

from collections import Counter

from pydantic import JsonValue

from orchestrator.store.stage_states import stage_states
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord

_STATES = ("done", "running", "waiting", "failed")


def status_document(record: SweepRecord, store: Store) -> dict[str, JsonValue]:
    """Done, running, waiting, failed and why; a `kind` is as in `apollo plan --json`."""
    states = stage_states(store, record.stages)
    counts = Counter(state.state for state in states.values())
    failed: list[JsonValue] = [
        {
            "key": key,
            "kind": record.stages[key].label,
            "class": state.failure_class,
            "attempts": state.attempts,
            "message": state.message,
            "variants": list[JsonValue](record.variants_with([key])),
        }
        for key, state in states.items()
        if state.state == "failed"
    ]
    return {
        "name": record.name,
        "stages": {name: counts[name] for name in _STATES},
        "failures": failed,
    }
