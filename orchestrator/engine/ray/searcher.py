"""Tune's questions answered by the frontier: which stage next, and what became of it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.engine.engine import OnOutcome
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.ray.cluster import cluster_capacity
from orchestrator.engine.task import StageTask
from orchestrator.store import failures
from orchestrator.store.store import Store

if TYPE_CHECKING:
    from ray.tune.search import Searcher


def searcher(frontier: Frontier, on_outcome: OnOutcome) -> Searcher:
    """A search algorithm that hands out the frontier's stages and tells it their ends."""
    from ray.tune.search import Searcher

    class FrontierSearcher(Searcher):
        """Suggests the frontier's next stage; forgets nothing that the store does not know."""

        def __init__(self) -> None:
            super().__init__(metric=None, mode=None)
            self._keys: dict[str, str] = {}

        # Ray's own annotation leaves out FINISHED, which is a string.
        def suggest(  # pyright: ignore[reportIncompatibleMethodOverride]
            self, trial_id: str
        ) -> dict[str, str] | str | None:
            if frontier.is_finished:
                return Searcher.FINISHED
            task = frontier.next(cluster_capacity())
            if task is None:
                return None
            self._keys[trial_id] = task.key
            return {"task": task.model_dump_json()}

        def on_trial_complete(
            self,
            trial_id: str,
            result: dict[str, Any] | None = None,
            error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
        ) -> None:
            key = self._keys.pop(trial_id)
            outcome = (result or {}).get("outcome")
            if error or not isinstance(outcome, StageOutcome):
                outcome = _gave_up(frontier.task(key))
            frontier.end(outcome)
            on_outcome(outcome)

        def __reduce__(self) -> tuple[type[str], tuple[()]]:
            # Tune pickles its settings for a restore that never happens here.
            return str, ()

        def save(self, checkpoint_path: str) -> None:
            """Nothing to save: the store is the truth."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing to restore."""

    return FrontierSearcher()


def _gave_up(task: StageTask) -> StageOutcome:
    tries = failures.INFRA_RETRIES + 1
    message = f"its worker went away {tries} times (killed, out of memory, or its machine lost)"
    folder = Store(Path(task.store)).attempts_folder(task.key)
    attempt = len(failures.recorded(folder)) + 1
    failures.record(folder, failures.Failure(failures.INFRA, message, attempt, time.time()))
    return StageOutcome(task.key, "failed", failure_class=failures.INFRA, message=message)
