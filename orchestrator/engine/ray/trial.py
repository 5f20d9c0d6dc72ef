"""One stage as one Tune trial: the class that runs it, and what it holds meanwhile."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import run_task

if TYPE_CHECKING:
    from ray import tune


def trainable(run_stage: RunStage) -> type[tune.Trainable]:
    """The class whose trials run stages by this function."""
    from ray import tune

    class StageTrial(tune.Trainable):
        """One trial is one stage: one step, whose result is the outcome."""

        def setup(self, config: dict[str, Any]) -> None:
            self._task = StageTask.model_validate_json(config["task"])

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.setup(new_config)
            return True

        def step(self) -> dict[str, Any]:
            outcome = run_task(self._task, run_stage=run_stage)
            return {"done": True, "outcome": outcome}

    return StageTrial


def placement(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """One bundle a GPU, packed: a stage's worker processes live inside its own placement group."""
    from ray import tune

    task = StageTask.model_validate_json(config["task"])
    gangs = max(1, math.ceil(task.gpus))
    bundle = {"CPU": task.cpus / gangs}
    if task.gpus:
        bundle["GPU"] = task.gpus / gangs
    return tune.PlacementGroupFactory([bundle] * gangs, strategy="PACK")
