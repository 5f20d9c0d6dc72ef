"""The seam between what is to be done and what does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from orchestrator.frontier import Frontier
from orchestrator.outcome import StageOutcome
from orchestrator.worker import RunStage

OnOutcome = Callable[[StageOutcome], None]


class Engine(Protocol):
    """Runs the stages that a frontier hands out, until it is finished."""

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run.

        Each stage's outcome goes to `frontier.end`, then to `on_outcome`, in the calling thread.
        A worker that dies is started again up to `failures.INFRA_RETRIES` times.
        """
        ...
