"""Tune's two ways to talk to us: a `Searcher` that it asks, a `Callback` that it tells."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.ray.hand_out import HandOut
from orchestrator.engine.ray.loss import loss_of

if TYPE_CHECKING:
    from ray import tune
    from ray.tune.experiment import Trial
    from ray.tune.search import Searcher


def searcher(stages: HandOut) -> Searcher:
    """A search algorithm that hands out stages and takes their outcomes."""
    from ray.tune.search import Searcher

    class StageSearcher(Searcher):
        """Suggests the next stage; remembers nothing that the store does not know."""

        def __init__(self) -> None:
            super().__init__(metric=None, mode=None)

        # Ray's own annotation leaves out FINISHED, which is a string.
        def suggest(  # pyright: ignore[reportIncompatibleMethodOverride]
            self, trial_id: str
        ) -> dict[str, str] | str | None:
            return Searcher.FINISHED if stages.is_finished else stages.next(trial_id)

        def on_trial_complete(
            self,
            trial_id: str,
            result: dict[str, Any] | None = None,
            error: bool = False,  # noqa: FBT001, FBT002 - Tune's signature
        ) -> None:
            outcome = (result or {}).get("outcome")
            if not error and isinstance(outcome, StageOutcome):
                stages.ended(trial_id, outcome)

        def __reduce__(self) -> tuple[type[str], tuple[()]]:
            # Tune pickles its settings for a restore that never happens here.
            return str, ()

        def save(self, checkpoint_path: str) -> None:
            """Nothing to save: the store is the truth."""

        def restore(self, checkpoint_path: str) -> None:
            """Nothing to restore."""

    return StageSearcher()


def loss_listener(stages: HandOut) -> tune.Callback:
    """A callback that tells of lost workers; a searcher is not told why."""
    from ray import tune

    class LossListener(tune.Callback):
        """Called after the searcher was told that a trial failed, before it is asked again."""

        def on_trial_error(
            self, iteration: int, trials: list[Trial], trial: Trial, **info: object
        ) -> None:
            stages.lost(trial.trial_id, loss_of(_error_of(trial)))

        def __reduce__(self) -> tuple[type[str], tuple[()]]:
            return str, ()

    return LossListener()


def _error_of(trial: Trial) -> BaseException | None:
    """What ended a trial. Tune's own getter looks into a storage that is not written to yet."""
    path = trial.pickled_error_file
    if path is None or not Path(path).is_file():
        return None
    return pickle.loads(Path(path).read_bytes())
