"""What the command hands to the process that talks to Ray."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.attempt import RunStage
from orchestrator.engine.frontier import Frontier

# Long enough for workers to give their leases back, short for a person who waits.
STOP_WITHIN = 15.0


@dataclass(frozen=True)
class Job:
    """What the child is to do.

    Attributes:
        address: of a running cluster; None starts one.
        cpus: of the cluster that is started; None takes the machine's.
        gpu_bytes: memory of each GPU; None asks the machines.
        patience: seconds to wait for machines that can hold what none can yet.
        temporary: folder of Ray's sockets and logs, and of what Tune writes.
        frontier: what there is to do.
        run_stage: how.
        ship: send our code to a running cluster; else what its nodes have installed runs.
    """

    address: str | None
    cpus: int | None
    gpu_bytes: float | None
    patience: float
    temporary: Path
    frontier: Frontier
    run_stage: RunStage
    ship: bool = True
