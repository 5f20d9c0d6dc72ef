"""What is known of a sweep's stages from the store alone: for any terminal that can read it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from orchestrator.files import last_json_lines
from orchestrator.store import lease
from orchestrator.store.stage_states import StageState, stage_states
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.watching.features_seen import features_seen, stage_features
from orchestrator.watching.sighting import sighting_of
from orchestrator.watching.snapshot import Known


class StoreWatch:
    """Looks at a sweep again and again; what is done once is done and is not looked at twice."""

    def __init__(self, record: SweepRecord, store: Store) -> None:
        self._record = record
        self._store = store
        self._done: dict[str, Known] = {}

    def look(self) -> dict[str, Known]:
        """Every stage as it is now."""
        open_ = [key for key in self._record.stages if key not in self._done]
        states = stage_states(self._store, open_)
        blocked = _blocked(self._record, states)
        for key, state in states.items():
            if state.state == "done":
                self._done[key] = done(self._store, key)
        return {
            key: self._done.get(key) or self._open(key, states[key], blocked)
            for key in self._record.stages
        }

    def _open(self, key: str, state: StageState, blocked: frozenset[str]) -> Known:
        if state.state == "running":
            return running(self._store, key)
        if state.state == "failed":
            tries = f", attempt {state.attempts}" if state.attempts else ""
            problem = f"{state.failure_class}{tries}: {state.message}"
            without = self._record.variants_with([key])
            if len(without) > 1:  # the stage's own name has one of them
                problem += f" (no scores for {', '.join(without)})"
            return Known(state="failed", problem=problem)
        return Known(state="blocked" if key in blocked else "waiting")


def done(store: Store, key: str) -> Known:
    """A finished stage, with the seconds that it took."""
    seconds = (store.provenance(key) or {}).get("seconds")
    spent = float(seconds) if isinstance(seconds, int | float) else 0.0
    return Known(state="done", spent=spent, features=stage_features(store, key))


def running(store: Store, key: str) -> Known:
    """A stage under way; without a worker's lease it waits for its place still."""
    folder = store.attempts_folder(key)
    placed = lease.looks_alive(lease.read_lease(folder))
    try:
        # Made when the attempt began, and filled there and then.
        began = store.metrics_path(key).parent.stat().st_mtime if placed else time.time()
    except OSError:
        began = time.time()
    spent = max(0.0, time.time() - began)
    events = last_json_lines(store.metrics_path(key))
    return Known(
        state="running",
        spent=spent,
        sighting=sighting_of(events),
        placed=placed,
        features=features_seen(events),
    )


def _blocked(record: SweepRecord, states: Mapping[str, StageState]) -> frozenset[str]:
    """Waiting stages that need one which failed."""
    found: dict[str, bool] = {}

    def is_lost(key: str) -> bool:
        state = states.get(key)
        if state is None or state.state in ("done", "running"):
            return False
        if key not in found:
            parents = record.stages[key].parents.values()
            found[key] = state.state == "failed" or any(
                is_lost(each) for each in parents if each in record.stages
            )
        return found[key]

    return frozenset(key for key in states if is_lost(key) and states[key].state == "waiting")
