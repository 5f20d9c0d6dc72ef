"""How much memory the GPUs of a cluster's machines have."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Any

_WITHIN = 60.0


@cache
def gpu_bytes(node: str) -> float:
    """Bytes of the smallest GPU of a machine, asked once; 0 where it does not say.

    Args:
        node: Ray's id of the machine.
    """
    import ray
    from ray.exceptions import RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node, soft=False)
    task: Any = ray.remote(_smallest)
    try:
        return ray.get(
            task.options(num_cpus=0, scheduling_strategy=there).remote(), timeout=_WITHIN
        )
    except (RayError, TimeoutError):
        return 0.0


def _smallest() -> float:
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        return min(float(line) for line in told.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0.0
