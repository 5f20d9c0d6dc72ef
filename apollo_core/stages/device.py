"""The device and threads of a stage."""

from __future__ import annotations

import os

import torch

from apollo_core.execution import Execution
from apollo_core.stages.identity import Precision
from apollo_core.training.device_peaks import peak_flops


def settle(execution: Execution) -> torch.device:
    """Choose the device and make the arithmetic repeatable: same key, same machine, same result.

    The number of threads changes the last digit of a sum, so it is set and not found.
    """
    device = device_of(execution)
    if device.type == "cpu":
        torch.set_num_threads(execution.threads)
    else:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32
    # Not `warn_only`: under it fused attention's backward still adds in any order. An operation
    # that has no repeatable form on this device stops the stage, and torch says which it is.
    torch.use_deterministic_algorithms(mode=True, warn_only=False)
    # Nothing of ours reads memory before writing it; filling it all costs some 4 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    return device


def device_of(execution: Execution) -> torch.device:
    """The device that a stage uses here."""
    if execution.device != "auto":
        return torch.device(execution.device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def peak(execution: Execution, device: torch.device, precision: Precision) -> float | None:
    """FLOPs per second that the device could do at most, as given, else as known for it."""
    if execution.peak_tflops is not None:
        return 1e12 * execution.peak_tflops
    if device.type == "cpu":
        return None
    return peak_flops(torch.cuda.get_device_name(device), precision)


def micro_batch(execution: Execution, batch_size: int, device: torch.device) -> int:
    """Samples per forward: as asked, else the whole batch, on a GPU at most 8."""
    if execution.micro_batch != "auto":
        return min(execution.micro_batch, batch_size)
    return batch_size if device.type == "cpu" else min(batch_size, 8)
