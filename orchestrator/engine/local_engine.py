"""One stage after another, in this process: for tests, debugging, and machines without Ray."""

from __future__ import annotations

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.engine import OnOutcome, machine_capacity
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.room import Capacity
from orchestrator.engine.worker import run_task


class LocalEngine:
    """The sequential engine. A worker that dies is this process, so nothing is retried here."""

    def capacity(self, *, with_gpus: bool) -> Capacity:
        """This machine's."""
        return machine_capacity(with_gpus=with_gpus)

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run, the most urgent first."""
        while task := frontier.next():
            outcome = run_task(task, run_stage=run_stage)
            frontier.end(outcome)
            on_outcome(outcome)
