"""What the last digits of a feature depend on beside its key: machine, libraries, arithmetic.

None of it is identity, and a result's last digits may differ with it. But features that are read
must be those that this process would compute, so each surrounding has a folder of its own.
"""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from apollo_core.execution import Execution

_PACKAGES = ("torch", "transformers", "numpy", "av", "decord2", "torchcodec", "pillow")


def where_computed(execution: Execution, device: torch.device, *, size: int) -> str:
    """Name of the folder for what is computed here.

    Args:
        execution: its threads and whether blocks are compiled.
        device: of the encoders.
        size: side in pixels at which frames are decoded.
    """
    on_cpu = device.type == "cpu"
    told = {
        "processor": _processor() if on_cpu else torch.cuda.get_device_name(device),
        "threads": execution.threads if on_cpu else 0,
        "compile": execution.compile,
        "size": size,
        "packages": _versions(),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _processor() -> str:
    """The kind of processor: which instructions a sum is made with."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor()
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {model}"


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)
