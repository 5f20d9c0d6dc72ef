"""`apollo status`: done, running, waiting, failed and why, from the store alone."""

from __future__ import annotations

from collections import Counter

from pydantic import JsonValue

from orchestrator.files import last_json_line
from orchestrator.store.stage_states import StageState, stage_states
from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord

_STATES = ("done", "running", "waiting", "failed")


def status_document(record: SweepRecord, store: Store) -> dict[str, JsonValue]:
    """The document of `apollo status --json`; a `kind` is as in that of `apollo plan --json`."""
    states = stage_states(store, record.stages)
    counts = Counter(state.state for state in states.values())
    return {
        "name": record.name,
        "stages": {name: counts[name] for name in _STATES},
        "failures": [
            {
                "key": key,
                "kind": record.stages[key].label,
                "class": state.failure_class,
                "attempts": state.attempts,
                "message": state.message,
            }
            for key, state in states.items()
            if state.state == "failed"
        ],
    }


def status_lines(record: SweepRecord, store: Store) -> list[str]:
    """The same for people: counts, what runs, what failed and why."""
    states = stage_states(store, record.stages)
    counts = Counter(state.state for state in states.values())
    lines = [f"{record.name}: " + ", ".join(f"{counts[name]} {name}" for name in _STATES)]
    lines += [_line(record, store, key, state) for key, state in states.items() if _shown(state)]
    return lines


def last_event(store: Store, key: str) -> str:
    """Step and loss of a stage, in words; empty before its first event."""
    event = last_json_line(store.metrics_path(key))
    if event is None:
        return ""
    loss = event.get("loss")
    said = f", loss {loss:.3f}" if isinstance(loss, float) else ""
    return f"step {event.get('step', '?')} of {event.get('steps', '?')}{said}"


def _shown(state: StageState) -> bool:
    return state.state in ("running", "failed")


def _line(record: SweepRecord, store: Store, key: str, state: StageState) -> str:
    name = f"{key[:12]} {record.label(key)}"
    if state.state == "running":
        return f"  running {name}: {last_event(store, key)}"
    return f"  failed  {name}: {state.failure_class}, attempt {state.attempts}: {state.message}"
