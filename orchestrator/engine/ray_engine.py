"""The Ray Tune engine: the only module that imports Ray, and only when it runs.

Tune hands out processes and says when one died; it decides nothing. A `Searcher` asks the frontier
for the next stage, a class `Trainable` runs it, and the store is the truth: Tune's own experiment
state lies in a temporary folder that is removed. Workers are reused: each imports
torch once.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apollo_core.errors import ApolloError, BadInput
from orchestrator.engine.engine import OnOutcome, machine_capacity, refuse_what_never_fits
from orchestrator.engine.frontier import Capacity, Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import RunStage, run_task
from orchestrator.redaction import redact
from orchestrator.store import failures
from orchestrator.store.scratch import scratch_folder
from orchestrator.store.store import Store

if TYPE_CHECKING:
    from ray import tune
    from ray.tune.experiment import Trial
    from ray.tune.search import Searcher

# Ray's own sockets lie below its temporary folder; a socket's path ends at 107 bytes, and
# `/session_<date>_<time>_<microseconds>_<process>/sockets/plasma_store` takes up to 65 of them.
_LONGEST_TEMPORARY = 107 - 65
# Stages exchange files, not objects, so the shared memory stays close to Ray's least (75 MiB).
_OBJECT_STORE_BYTES = 128 << 20
_MANY = 10_000

# Said before Ray is imported: it reads them once.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S": "1000000000",
    "TUNE_WARN_INSUFFICENT_RESOURCE_THRESHOLD_S_AUTOSCALER": "1000000000",
}


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
                refuse_what_never_fits(frontier.unfinished(), _capacity())
            _fit(frontier, run_stage, on_outcome, temporary / "tune")


@contextlib.contextmanager
def cluster(address: str | None, cpus: int | None, temporary: Path) -> Iterator[None]:
    """Be connected to the cluster at `address`, else to a new one on this machine, meanwhile.

    Args:
        address: of a running cluster.
        cpus: of a new one; None takes the machine's.
        temporary: folder of a new one's sockets and logs.
    """
    _set_environment(_QUIET if address else {**_QUIET, **_own_token()})
    import ray

    if ray.is_initialized():  # the caller's cluster, and the caller's to stop
        yield
        return
    try:
        with _own_signals():
            _connect(address, cpus, temporary)
        yield
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's handlers: Ray's own end a driver at SIGTERM by abort, leases and all."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _own_token() -> dict[str, str]:
    # Nobody else on the machine can submit work to the workers of a cluster that we start.
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _set_environment(values: Mapping[str, str]) -> None:
    for name, value in values.items():
        os.environ.setdefault(name, value)


def _connect(address: str | None, cpus: int | None, temporary: Path) -> None:
    import ray

    quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": True}
    if address is not None:
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise BadInput(f"--address {redact(address)}: {failures.one_line(error)}") from error
        return
    try:
        # "local": without it Ray joins whatever cluster the last process here left behind.
        ray.init(
            address="local",
            num_cpus=cpus or os.cpu_count(),
            include_dashboard=False,
            object_store_memory=_OBJECT_STORE_BYTES,
            _temp_dir=str(temporary),
            **quiet,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ApolloError(
            f"Ray did not start on this machine: {failures.one_line(error)}. Nothing is lost; run "
            "the same again, with --engine local if it keeps failing."
        ) from error


def _capacity() -> Capacity:
    import ray

    resources = ray.cluster_resources()
    return Capacity(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))


def _fit(frontier: Frontier, run_stage: RunStage, on_outcome: OnOutcome, folder: Path) -> None:
    from ray import tune

    for name in ("ray.tune", "ray.air", "ray.train"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    tune.Tuner(
        tune.with_resources(_trainable(run_stage), _placement),
        tune_config=tune.TuneConfig(
            search_alg=_searcher(frontier, on_outcome),
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


def _trainable(run_stage: RunStage) -> type[tune.Trainable]:
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


def _searcher(frontier: Frontier, on_outcome: OnOutcome) -> Searcher:
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
            task = frontier.next(_capacity())
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


def _trial_name(trial: Trial) -> str:
    return trial.trial_id  # the default spells out the whole config, beyond what a path can hold


def _placement(config: dict[str, Any]) -> tune.PlacementGroupFactory:
    """One bundle a GPU, packed: a stage's worker processes live inside its own placement group."""
    from ray import tune

    task = StageTask.model_validate_json(config["task"])
    gangs = max(1, math.ceil(task.gpus))
    bundle = {"CPU": task.cpus / gangs}
    if task.gpus:
        bundle["GPU"] = task.gpus / gangs
    return tune.PlacementGroupFactory([bundle] * gangs, strategy="PACK")


def _gave_up(task: StageTask) -> StageOutcome:
    tries = failures.INFRA_RETRIES + 1
    message = f"its worker went away {tries} times (killed, out of memory, or its machine lost)"
    folder = Store(Path(task.store)).attempts_folder(task.key)
    attempt = len(failures.recorded(folder)) + 1
    failures.record(folder, failures.Failure(failures.INFRA, message, attempt, time.time()))
    return StageOutcome(task.key, "failed", failure_class=failures.INFRA, message=message)
