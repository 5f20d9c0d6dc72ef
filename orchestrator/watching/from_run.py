"""What is known of a sweep's stages by the driver that runs them: little of it is read from disk,
so a view that is drawn every second costs a shared filesystem next to nothing."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.store.store import Store
from orchestrator.watching.features_seen import stage_features
from orchestrator.watching.from_store import done, running
from orchestrator.watching.snapshot import Known


class RunWatch:
    """Follows one run.

    Args:
        frontier: what runs and what waits.
        store: where running stages leave their events.
        wanted: keys of the stages that are asked for.
        missing: those of them that were not done when the run began.
    """

    def __init__(
        self, frontier: Frontier, store: Store, *, wanted: Iterable[str], missing: Iterable[str]
    ) -> None:
        self._frontier = frontier
        self._store = store
        self._tasks = frozenset(missing)
        self._before = frozenset(wanted) - self._tasks
        self._ended: dict[str, Known] = {}

    def take(self, outcome: StageOutcome) -> None:
        """Note a stage's end."""
        if outcome.status == "failed":
            problem = f"{outcome.failure_class}: {outcome.message}"
            self._ended[outcome.key] = Known(state="failed", problem=problem)
        elif outcome.ran:
            features = stage_features(self._store, outcome.key)
            self._ended[outcome.key] = Known(state="done", spent=outcome.seconds, features=features)
        else:  # another driver's: how long it took is in its provenance
            self._ended[outcome.key] = done(self._store, outcome.key)

    def look(self) -> dict[str, Known]:
        """Every stage as it is now."""
        for key in self._before.difference(self._ended):  # once, and by the thread that draws
            self._ended[key] = done(self._store, key)
        at_work, blocked = self._frontier.running, dict(self._frontier.blocked)
        known = dict(self._ended)
        for key in self._tasks:
            if key in at_work:
                known[key] = running(self._store, key)
            elif key not in known:
                known[key] = Known(state="blocked" if key in blocked else "waiting")
        known.update({key: Known(state="blocked") for key in blocked})
        return known
