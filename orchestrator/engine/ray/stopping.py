"""Ask every worker of this driver to stop, on whatever machine, so that leases are given back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.engine.frontier import Frontier
from orchestrator.store.cause_of_death import leave_word
from orchestrator.store.retries import PREEMPTED
from orchestrator.store.store import Store

# Tune may be about to start a worker for a stage that it was given before.
_QUIET_FOR = 0.5


def stop_workers(*, within: float, at_work: Callable[[], bool]) -> None:
    """Send SIGTERM to this driver's workers and wait until they are gone.

    Left to Ray they are killed, and whoever wants their stages next waits for leases to go stale.

    Args:
        within: seconds after which not to wait any longer.
        at_work: whether any of their leases is held. To Ray a worker is gone before it is.
    """
    import ray

    until = time.monotonic() + within
    here = ray.get_runtime_context().get_node_id()
    asked: dict[str, object] = {}
    quiet = time.monotonic()
    while time.monotonic() < min(until, quiet + _QUIET_FOR):
        living = _living()
        if living or at_work():
            quiet = time.monotonic()
        for actor in living:
            # One that is still starting is asked as soon as it can be.
            if actor["State"] != "ALIVE" or actor["ActorID"] in asked:
                continue
            node, pid = actor["Address"]["NodeID"], actor["Pid"]
            # What is kept of another machine's answer keeps Ray from dropping the question.
            asked[actor["ActorID"]] = _terminate(pid) if node == here else _on(node, pid)
        time.sleep(0.1)


def leave_words(frontier: Frontier) -> None:
    """Tell whoever takes up the stages under way that their workers were ended, and not lost.

    It is for those that did not manage to give their leases back: theirs is no failed attempt.
    """
    for key in frontier.running:
        attempts = Store(Path(frontier.task(key).store)).attempts_folder(key)
        if attempts.is_dir():
            with contextlib.suppress(OSError):
                leave_word(attempts, PREEMPTED, "its run was stopped, and its worker was ended")


def _living() -> list[dict[str, Any]]:
    import ray
    from ray._private import state  # the public way needs the dashboard, which a cluster may lack

    job = ray.get_runtime_context().get_job_id()
    return [
        actor
        for actor in state.actors().values()
        if actor["JobID"] == job and actor["State"] != "DEAD"
    ]


def _on(node: str, pid: int) -> object:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task: Any = ray.remote(_terminate)
    return task.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote(pid)


def _terminate(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
