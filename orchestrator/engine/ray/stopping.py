"""Ask every worker of this driver to stop, on whatever machine, so that leases are given back."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any


def stop_workers(*, within: float) -> None:
    """Send SIGTERM to this driver's workers and wait until they are gone.

    Left to Ray they are killed, and whoever wants their stages next waits for leases to go stale.

    Args:
        within: seconds after which not to wait any longer.
    """
    import ray

    until = time.monotonic() + within
    here = ray.get_runtime_context().get_node_id()
    asked: list[Any] = []
    for actor in _alive():
        node, pid = actor["Address"]["NodeID"], actor["Pid"]
        if node == here:
            _terminate(pid)
        else:
            asked.append(_on(node, pid))
    if asked:
        ray.wait(asked, num_returns=len(asked), timeout=within)
    while _alive() and time.monotonic() < until:
        time.sleep(0.1)


def _alive() -> list[dict[str, Any]]:
    import ray
    from ray._private import state  # the public way needs the dashboard, which a cluster may lack

    job = ray.get_runtime_context().get_job_id()
    return [
        actor
        for actor in state.actors().values()
        if actor["JobID"] == job and actor["State"] == "ALIVE"
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
