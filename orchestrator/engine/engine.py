"""The seam between what is to be done and what does it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Protocol

from apollo_core.errors import BadInput
from orchestrator.engine.attempt import RunStage
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.room import Capacity
from orchestrator.engine.task import StageTask

OnOutcome = Callable[[StageOutcome], None]


class Engine(Protocol):
    """Runs the stages that a frontier hands out, until it is finished."""

    def capacity(self, *, with_gpus: bool) -> Capacity | None:
        """What can be handed out in all; None where only running can tell (a cluster may grow).

        Args:
            with_gpus: count the GPUs, which takes seconds; else they are given as none.
        """
        ...

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run.

        Each stage's outcome goes to `frontier.end`, then to `on_outcome`, in the calling thread.
        A worker that dies is replaced as often as `orchestrator.store.retries` allows.
        """
        ...


def machine_capacity(cpus: int | None = None, *, with_gpus: bool) -> Capacity:
    """What this machine has; `cpus` instead of its own, if given."""
    gpus = 0
    if with_gpus:
        import torch  # counts what every vendor's driver shows, and starts none of them

        gpus = torch.cuda.device_count()
    return Capacity(cpus=cpus or os.cpu_count() or 1, gpus=gpus)


def refuse_what_never_fits(tasks: Iterable[StageTask], capacity: Capacity) -> None:
    """Raise `BadInput` for a stage that is larger than all there is."""
    for task in tasks:
        if task.cpus > capacity.cpus or task.gpus > capacity.gpus:
            raise BadInput(
                f"stage {task.label}: needs {task.cpus:g} CPUs and {task.gpus:g} GPUs, this "
                f"machine has {capacity.cpus:g} and {capacity.gpus:g}; give a cluster with "
                "--address, or lower the scale's `resources`"
            )
