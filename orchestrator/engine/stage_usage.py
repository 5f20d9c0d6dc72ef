"""What a stage uses of its machine: its own processes and GPUs, never what else runs on the host.

The figures join events that the stage tells anyway, at steps that the view shows, so that they cost
next to nothing and stand beside the loss of the same step:

    system/cpu_cores         processor seconds a second, of the process and its children
    system/rss_mib           their resident memory; pages that they share count for each
    system/gpu_memory_mib    what the process has reserved on its GPUs, all together
    system/gpu_percent       how busy these GPUs are, on average, whoever else shares them
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from apollo_core.stages.context import Event
from orchestrator.tracking.tracked_points import is_shown

# Seconds between two looks, at least.
_EVERY = 2.0
_MIB = 1 << 20


class StageUsage:
    """Measures the process that made it, with its children, from then on."""

    def __init__(self, *, every: float = _EVERY) -> None:
        self._every = every
        self._at = time.monotonic()
        self._cpu = _cpu_seconds(os.getpid())

    def beside(self, event: Event) -> Event:
        """The event, with what the stage uses where it is time for it."""
        step, steps = event.get("step"), event.get("steps")
        now = time.monotonic()
        if now - self._at < self._every or not isinstance(step, int):
            return event
        if not is_shown(step, steps if isinstance(steps, int) else step):
            return event
        return {**event, **self._measured(now), **_gpus()}

    def _measured(self, now: float) -> dict[str, float]:
        processes = list(_tree(os.getpid()))
        cpu = sum(map(_cpu_seconds, processes))
        used = max(0.0, cpu - self._cpu)  # a child that ended uncounted takes its seconds along
        found = {"system/cpu_cores": round(used / (now - self._at), 3)}
        if memory := sum(map(_resident_bytes, processes)):
            found["system/rss_mib"] = round(memory / _MIB, 1)
        self._at, self._cpu = now, cpu
        return found if memory else {}


def _tree(root: int) -> Iterator[int]:
    """A process and all below it; nothing where the system does not tell (other than Linux)."""
    yield root
    for thread in Path(f"/proc/{root}/task").glob("*/children"):
        for child in _text(thread).split():
            yield from _tree(int(child))


def _cpu_seconds(process: int) -> float:
    """Its own, and those of the children that it waited for."""
    # The command's name stands in brackets and may hold anything.
    fields = _text(Path(f"/proc/{process}/stat")).rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") if len(fields) > 15 else 0.0


def _resident_bytes(process: int) -> int:
    fields = _text(Path(f"/proc/{process}/statm")).split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") if len(fields) > 1 else 0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended meanwhile, or there is no such system
        return ""


def _gpus() -> dict[str, float]:
    """Of the GPUs that this process sees, if it uses them: its trial's own."""
    torch = sys.modules.get("torch")  # a stage that uses a GPU has imported it
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return {}
    devices = range(torch.cuda.device_count())
    reserved = sum(torch.cuda.memory_reserved(device) for device in devices)
    found = {"system/gpu_memory_mib": round(reserved / _MIB, 1)}
    try:
        busy = [torch.cuda.utilization(device) for device in devices]
    except Exception:  # without nvidia-ml-py, or a driver that does not tell
        return found
    return {**found, "system/gpu_percent": round(sum(busy) / len(busy), 1)}
