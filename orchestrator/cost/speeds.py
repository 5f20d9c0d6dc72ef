"""FLOPs per second: of stages that finished here, else of a short probe, else of a data sheet."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from orchestrator.plan.plan import Plan

# NVIDIA A100: 312 TFLOP/s dense bfloat16 (data sheet); training reaches about 0.4 of it.
_A100_TFLOPS, _UTILISATION = 312.0, 0.4
# Part of a matrix product's speed that a training step on a CPU reaches; the store's own stages
# replace this guess as soon as one has finished.
_CPU_UTILISATION = 0.2
# Steps of a finished stage that are looked at, and how many times the usual step is a pause.
_PLACES, _PAUSE = 200, 10.0


@dataclass(frozen=True)
class Speeds:
    """FLOPs per second that a stage reaches, and where each number comes from.

    Attributes:
        cpu: of a stage without a GPU.
        gpu: of each GPU.
        cpu_source, gpu_source: in words.
    """

    cpu: float
    gpu: float
    cpu_source: str
    gpu_source: str

    def of(self, gpus: float) -> float:
        """FLOPs per second of a stage that holds `gpus` GPUs."""
        return self.gpu * gpus if gpus > 0 else self.cpu


def measure_speeds(
    plan: Plan,
    flops: Mapping[str, float],
    *,
    store: Path,
    gpu_tflops: float | None = None,
    utilisation: float | None = None,
) -> Speeds:
    """Find the speeds that a plan needs; a CPU is probed only where a stage runs on it.

    Args:
        plan: its finished stages are looked up.
        flops: of each stage, by key.
        store: where results lie; it need not exist.
        gpu_tflops: what one GPU reaches while training, instead of what was measured or is
            assumed; with `utilisation`, its peak.
        utilisation: share of a GPU's peak that training reaches; the peak is `gpu_tflops`, else the
            file's `execution.peak_tflops`, else an A100's.
    """
    cpu, gpu = _finished(plan, flops, store)
    cpu_source = f"median of {len(cpu)} finished stages"
    gpu_source = f"median of {len(gpu)} finished stages"
    gpu_speed = median(gpu) if gpu else _A100_TFLOPS * _UTILISATION * 1e12
    if utilisation is not None:
        peak = gpu_tflops or plan.sweep.execution.peak_tflops or _A100_TFLOPS
        gpu_speed = peak * utilisation * 1e12
        gpu_source = f"{peak:g} TFLOP/s x {utilisation:g}, as given"
    elif gpu_tflops is not None:
        gpu_speed, gpu_source = gpu_tflops * 1e12, "--gpu-tflops"
    elif not gpu:
        gpu_source = f"A100: {_A100_TFLOPS:g} TFLOP/s x {_UTILISATION:g}"
    cpu_speed = median(cpu) if cpu else 1.0
    if not cpu:
        cpu_source = "not used"
        if any(node.gpus == 0 for node in plan.stages.values()):
            cpu_speed = _probe() * _CPU_UTILISATION
            cpu_source = f"a matrix product on this machine x {_CPU_UTILISATION:g}"
    return Speeds(cpu_speed, gpu_speed, cpu_source, gpu_source)


def _finished(
    plan: Plan, flops: Mapping[str, float], store: Path
) -> tuple[list[float], list[float]]:
    """Speeds of this plan's finished stages: on a CPU, and for each GPU."""
    cpu: list[float] = []
    gpu: list[float] = []
    for key, node in plan.stages.items():
        folder = store / "stages" / key
        try:
            if not (folder / "DONE").exists():
                continue
            share = _share_per_second((folder / "metrics.jsonl").read_bytes().splitlines())
        except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError):
            continue  # a plan only looks; the store itself says what is wrong with a stage
        if share is None:
            continue
        speed = share * flops[key]
        if node.gpus > 0:
            gpu.append(speed / node.gpus)
        else:
            cpu.append(speed)
    return cpu, gpu


def _share_per_second(lines: Sequence[bytes]) -> float | None:
    """Part of a stage that a second of its work does; None where too little is told.

    From one event to the next, at places spread over the stage: its start, which is mostly imports,
    is before the first event, and a pause between two attempts is longer than any step.
    """
    last = len(lines) - 1
    at = sorted({index * (last - 1) // _PLACES for index in range(_PLACES + 1)}) if last else []
    took: list[float] = []
    done = 0.0
    paces: list[tuple[float, float]] = []
    for index in at:
        first, second = json.loads(lines[index]), json.loads(lines[index + 1])
        share = (second["step"] - first["step"]) / second["steps"]
        seconds = second["time"] - first["time"]
        if share > 0 and seconds > 0:
            paces.append((seconds / share, share))
    if not paces:
        return None
    usual = median(pace for pace, _ in paces)
    for pace, share in paces:
        if pace <= _PAUSE * usual:
            took.append(pace * share)
            done += share
    return done / math.fsum(took)


def _probe() -> float:
    """FLOPs per second of float32 matrix products on one core, best of a 50 ms run."""
    import numpy as np

    size = 64  # the largest that OpenBLAS keeps on one thread: two wait for each other when busy
    matrix = np.full((size, size), 0.5, dtype=np.float32)
    best, end = float("inf"), time.perf_counter() + 0.05
    while time.perf_counter() < end:
        start = time.perf_counter()
        np.matmul(matrix, matrix)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best
