"""What a sweep needs of this machine, and whether it is there; loads nothing heavy."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from apollo_core.errors import BadInput

# Of the extra `[sweep]`. By distribution and never by module: looking for `ray.tune` would import
# Ray, which settles its authentication there and then; and decord is not decord2.
_NEEDED = ("torch", "transformers", "ray", "mlflow", "decord2", "av", "safetensors")
# Beside a CPU build of torch it breaks every import of a transformers model.
_HARMFUL = "torchvision"
_LEAST_FREE = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at, in words, and whether sweeps can run with it."""

    good: bool
    text: str


def findings(store: Path) -> list[Finding]:
    """Everything looked at."""
    return [*_packages(), _harmful(), _processors(), _space(store)]


def require_sweep_packages() -> None:
    """Raise `BadInput` where this is the plain install, before anything is written."""
    missing = [finding.text for finding in _packages() if not finding.good]
    if missing:
        names = ", ".join(text.split()[0] for text in missing)
        raise BadInput(
            f"this installation cannot run sweeps ({names} missing): "
            "pip install 'apollo-sweeps[sweep]'"
        )


def _packages() -> Iterator[Finding]:
    yield Finding(good=True, text=f"Python {platform.python_version()}")
    for package in _NEEDED:
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = ""
        told = version or "install apollo-sweeps[sweep]"
        yield Finding(good=bool(version), text=f"{package} {told}")


def _harmful() -> Finding:
    there = find_spec(_HARMFUL) is not None
    text = f"{_HARMFUL}: uninstall it, nothing here needs it" if there else f"no {_HARMFUL}"
    return Finding(good=not there, text=text)


def _processors() -> Finding:
    gpus = len(list(Path("/proc/driver/nvidia/gpus").glob("*")))
    return Finding(good=True, text=f"{os.cpu_count()} processors, {gpus} NVIDIA GPUs")


def _space(store: Path) -> Finding:
    folder = store.absolute()
    while not folder.is_dir():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    writable = os.access(folder, os.W_OK)
    text = f"store {store}: {free / 1e9:.1f} GB free, {'' if writable else 'not '}writable"
    return Finding(good=writable and free > _LEAST_FREE, text=text)
