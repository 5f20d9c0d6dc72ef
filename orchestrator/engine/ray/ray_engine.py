"""The Ray Tune engine: what is ready goes to warm workers on one machine or many.

Tune hands out processes and says when one died; it decides nothing. A `Searcher` asks the frontier
for the next stage, a class `Trainable` runs it, and the store is the truth: Tune's own experiment
state lies in a temporary folder that is removed. Workers are reused: each imports
torch once.
"""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.engine import OnOutcome, machine_capacity, refuse_what_never_fits
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.ray.cluster import cluster, cluster_capacity
from orchestrator.engine.ray.searcher import searcher
from orchestrator.engine.ray.trial import placement, trainable
from orchestrator.engine.room import Capacity
from orchestrator.store import failures
from orchestrator.store.scratch import scratch_folder

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

# Ray's own sockets lie below its temporary folder; a socket's path ends at 107 bytes, and
# `/session_<date>_<time>_<microseconds>_<process>/sockets/plasma_store` takes up to 65 of them.
_LONGEST_TEMPORARY = 107 - 65
_MANY = 10_000


class RayEngine:
    """Runs stages as Ray Tune trials.

    Args:
        address: of a running cluster; None starts one on this machine, for the time of the run.
        cpus: of the cluster that is started; None takes the machine's.
    """

    def __init__(self, *, address: str | None = None, cpus: int | None = None) -> None:
        self._address = address
        self._cpus = cpus

    def capacity(self, *, with_gpus: bool) -> Capacity | None:
        """This machine's, for the cluster that is started; a running one's is not asked."""
        return None if self._address else machine_capacity(self._cpus, with_gpus=with_gpus)

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run; see `Engine.run`.

        Raises:
            BadInput: the cluster cannot be reached, or a stage can never fit on it.
            ApolloError: Ray did not start on this machine.
        """
        if frontier.is_finished:
            return
        # Tune and Ray print to stdout, which belongs to the command's result.
        with (
            Path(os.devnull).open("w") as nowhere,
            contextlib.redirect_stdout(nowhere),
            scratch_folder(longest=_LONGEST_TEMPORARY) as temporary,
            cluster(self._address, self._cpus, temporary),
        ):
            if self._address is None:
                refuse_what_never_fits(frontier.unfinished(), cluster_capacity())
            _fit(frontier, run_stage, on_outcome, temporary / "tune")


def _fit(frontier: Frontier, run_stage: RunStage, on_outcome: OnOutcome, folder: Path) -> None:
    from ray import tune

    for name in ("ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tune.Tuner(
        tune.with_resources(trainable(run_stage), placement),
        tune_config=tune.TuneConfig(
            search_alg=searcher(frontier, on_outcome),
            num_samples=-1,
            # Without it Tune prepares one trial at a time; the frontier decides what fits.
            max_concurrent_trials=_MANY,
            reuse_actors=True,
            trial_name_creator=_trial_name,
            trial_dirname_creator=_trial_name,
        ),
        run_config=tune.RunConfig(
            name="stages",
            storage_path=str(folder),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=failures.INFRA_RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()


def _trial_name(trial: Trial) -> str:
    return trial.trial_id  # the default spells out the whole config, beyond what a path can hold
