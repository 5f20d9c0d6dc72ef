"""The state of each stage of a sweep, read from the store alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from orchestrator.store import lease
from orchestrator.store.store import Store

State = Literal["done", "running", "waiting", "failed"]


@dataclass(frozen=True)
class StageState:
    """A stage's state; `failure_class`, `message` and `attempts` tell about a failed one."""

    state: State
    failure_class: str = ""
    message: str = ""
    attempts: int = 0


def stage_state(store: Store, key: str) -> StageState:
    """What the store says of one stage.

    A stage that was begun by a driver which went away is waiting: the next run takes it up. So is
    one that failed and is about to be tried again.
    """
    if store.is_done(key):
        return StageState("done")
    held = lease.read_lease(store.attempts_folder(key))
    if lease.looks_alive(held):
        return StageState("running")
    failures = store.failures(key)
    if not failures or (held and held.held and held.epoch > failures[-1].attempt):
        return StageState("waiting")
    last = failures[-1]
    if last.then == "again":
        return StageState("waiting", attempts=len(failures))
    return StageState("failed", last.failure_class, last.message, len(failures))


def stage_states(store: Store, keys: Iterable[str]) -> dict[str, StageState]:
    """The states of many stages."""
    return {key: stage_state(store, key) for key in keys}
