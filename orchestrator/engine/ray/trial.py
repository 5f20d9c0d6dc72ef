"""One stage as one Tune trial: the class that runs it, and what it holds meanwhile."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.gang import in_gang
from orchestrator.engine.ray.nodes import require_store
from orchestrator.engine.ray.ray_gang import RayGang
from orchestrator.engine.room import Share
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
            require_store(self._task.store)
            stage = run_stage if self._task.processes == 1 else in_gang(run_stage, self._ranks)
            return {"done": True, "outcome": run_task(self._task, run_stage=stage)}

        def _ranks(self) -> RayGang:
            """Kept for the next stage: a trial that is used again has the same bundles."""
            gang: RayGang | None = getattr(self, "_gang", None)
            if gang is None or not gang.is_alive:
                size = self._task.processes
                cpus, gpus = self._task.cpus / size, self._task.gpus / size
                self._gang = gang = RayGang(size, cpus=cpus, gpus=gpus)
            return gang

    return StageTrial


def placement(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """One bundle a GPU: a stage's worker processes live inside its own placement group.

    All on the machine that the frontier chose, which is a wish: should it go away meanwhile, Ray
    chooses another. A stage larger than any machine is packed onto as few as can be.
    """
    from ray import tune

    task = StageTask.model_validate_json(config["task"])
    shares = [Share(**share) for share in json.loads(config["place"])]
    count = max(task.processes, math.ceil(task.gpus))
    cpus, gpu = task.cpus / count, max([share.gpu for share in shares] or [task.gpus / count])
    bundle = {"CPU": cpus, "GPU": gpu} if gpu else {"CPU": cpus}
    # The trial of several processes holds nothing itself; each of them has a bundle.
    bundles = [bundle] * count if task.processes == 1 else [{}] + [bundle] * count
    if len(shares) != 1 or not shares[0].node:
        return tune.PlacementGroupFactory(bundles, strategy="PACK")
    return tune.PlacementGroupFactory(
        bundles, strategy="STRICT_PACK", _soft_target_node_id=shares[0].node
    )
