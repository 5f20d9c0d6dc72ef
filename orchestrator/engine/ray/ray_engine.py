"""The Ray Tune engine: what is ready goes to warm workers on one machine or many.

Tune hands out processes and says when one died; it decides nothing. A `Searcher` asks the frontier
for the next stage, a class `Trainable` runs it, and the store is the truth: Tune's own experiment
state lies in a temporary folder that is removed. Workers are reused: each imports torch once.

All that is Ray's happens in a child (`orchestrator.engine.ray.driver`). The frontier here follows
what it tells. A child that ends before its time left everything in the store: with a cluster of
our own another one goes on at once.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from apollo_core.errors import ApolloError, BadInput
from apollo_core.redaction import redact
from orchestrator.engine.attempt import RunStage
from orchestrator.engine.engine import OnOutcome, machine_capacity
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.ray.child import Child
from orchestrator.engine.ray.job import Job
from orchestrator.engine.ray.stopping import leave_words
from orchestrator.engine.room import Capacity
from orchestrator.store.scratch import scratch_folder

# Ray's own sockets lie below its temporary folder; a socket's path ends at 107 bytes, and
# `/session_<date>_<time>_<microseconds>_<process>/sockets/plasma_store` takes up to 65 of them.
_LONGEST_TEMPORARY = 107 - 65
# Clusters of our own that end without having brought a single stage to its end.
_MOST_IN_VAIN = 3
# Cloud machines take minutes to come; quotas may take longer, and then nobody is at work.
_PATIENCE = 1800.0


class RayEngine:
    """Runs stages as Ray Tune trials.

    Args:
        address: of a running cluster; None starts one on this machine, for the time of the run.
        cpus: of the cluster that is started; None takes the machine's.
        gpu_bytes: memory of each GPU; None asks the machines.
        patience: seconds to wait for machines that can hold what none can yet.
        ship: send our code to a running cluster; else what its nodes have installed runs.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        cpus: int | None = None,
        gpu_bytes: float | None = None,
        patience: float = _PATIENCE,
        ship: bool = True,
    ) -> None:
        self._address = address
        self._cpus = cpus
        self._gpu_bytes = gpu_bytes
        self._patience = patience
        self._ship = ship

    def capacity(self, *, with_gpus: bool) -> Capacity | None:
        """This machine's, for the cluster that is started; a running one's is not asked."""
        return None if self._address else machine_capacity(self._cpus, with_gpus=with_gpus)

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run; see `Engine.run`.

        Raises:
            BadInput: the cluster cannot be reached, a stage can never fit on it, or workers, which
                are other processes, could not import the stage function.
            ApolloError: Ray did not start on this machine, or the cluster went away.
        """
        _refuse_what_workers_cannot_import(run_stage)
        in_vain = 0
        while not frontier.is_finished:
            try:
                with scratch_folder(longest=_LONGEST_TEMPORARY) as temporary:
                    ended, said = self._session(frontier, run_stage, on_outcome, temporary)
            except KeyboardInterrupt:
                leave_words(frontier)  # the child, told twice, had no time for it
                raise
            in_vain = 0 if ended else in_vain + 1
            if frontier.is_finished:
                return
            if self._address is not None:
                raise ApolloError(
                    f"the Ray cluster at {redact(self._address)} went away ({said}). Finished "
                    "stages are kept; run the same command again to go on, on this cluster or "
                    "another."
                )
            if in_vain == _MOST_IN_VAIN:
                raise ApolloError(
                    f"Ray did not start or stay on this machine, {in_vain} times ({said}). Nothing "
                    "is lost; run the same again, with --engine local if it keeps failing."
                )

    def _session(
        self, frontier: Frontier, run_stage: RunStage, on_outcome: OnOutcome, temporary: Path
    ) -> tuple[int, str]:
        """Follow one child to its end; how many stages ended, and its last words."""
        ended, said = 0, ""
        job = Job(
            self._address,
            self._cpus,
            self._gpu_bytes,
            self._patience,
            temporary,
            frontier,
            run_stage,
            self._ship,
        )
        with Child(job, temporary / "driver.log") as child:
            for kind, *told in child.messages():
                if kind == "started":
                    frontier.start(told[0])
                elif kind == "lost":
                    frontier.put_back(told[0])
                elif kind == "ended":
                    ended += 1
                    frontier.end(told[0])
                    on_outcome(told[0])
                elif kind == "refused":
                    raise BadInput(told[0])
                elif kind == "failed":
                    raise ApolloError(told[0])
                elif kind == "no ray":
                    said = told[0]
                    break
        for key in frontier.running:
            frontier.put_back(key)
        return ended, said or child.last_words()


def _refuse_what_workers_cannot_import(run_stage: RunStage) -> None:
    name = getattr(run_stage, "__qualname__", repr(run_stage))
    try:
        if run_stage.__module__ == "__main__":
            raise pickle.PicklingError("it is defined in the script that runs")
        pickle.dumps(run_stage)
    except (AttributeError, TypeError, pickle.PicklingError) as error:
        raise BadInput(
            f"stage function {name}: workers are other processes and cannot import it ({error}); "
            "define it at the top level of a module, or use the local engine"
        ) from error
