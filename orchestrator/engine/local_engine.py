"""One stage after another, in this process: for tests, debugging, and machines without Ray.

A stage that several processes run together is run by processes beside this one.
"""

from __future__ import annotations

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.engine import OnOutcome, machine_capacity
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.gang import in_gang
from orchestrator.engine.local_gang import LocalGangs
from orchestrator.engine.room import Capacity
from orchestrator.engine.task import StageTask
from orchestrator.engine.worker import run_task


class LocalEngine:
    """The sequential engine. A worker that dies is this process, so nothing is retried here."""

    def capacity(self, *, with_gpus: bool) -> Capacity:
        """This machine's."""
        return machine_capacity(with_gpus=with_gpus)

    def run(self, frontier: Frontier, *, run_stage: RunStage, on_outcome: OnOutcome) -> None:
        """Run everything that can be run, the most urgent first."""
        with LocalGangs() as gangs:
            while task := frontier.next():
                outcome = run_task(task, run_stage=_runner(task, run_stage, gangs))
                frontier.end(outcome)
                on_outcome(outcome)


def _runner(task: StageTask, run_stage: RunStage, gangs: LocalGangs) -> RunStage:
    """The stage function itself, or one that lets several processes run it together."""
    if task.processes == 1:
        return run_stage
    return in_gang(run_stage, lambda: gangs.of(task.processes, own_gpu=task.gpus > 0))
