"""Where, when and with what a result was made: stored beside it, never part of its key."""

from __future__ import annotations

import ast
import hashlib
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path

from pydantic import JsonValue

from apollo_core.execution import Execution

_PACKAGES = (
    "apollo-sweeps",
    "torch",
    "transformers",
    "numpy",
    "decord2",
    "av",
    "torchcodec",
    "safetensors",
)
_SOURCE = Path(__file__).resolve().parents[2]
_CORE = "apollo_core"
_STAGES = _SOURCE / _CORE / "stages"


def provenance(
    kind: str, execution: Execution, *, attempt: int, started: float, ended: float
) -> dict[str, JsonValue]:
    """Describe one finished attempt.

    Args:
        kind: the stage's kind.
        execution: where and how fast it ran.
        attempt: how many times the stage was begun, this time included.
        started, ended: seconds since the epoch.
    """
    return {
        "code": code_hash(kind),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": dict(_versions()),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "processor_count": os.cpu_count(),
        "device": _device(execution),
        "execution": execution.model_dump(mode="json"),
        "attempt": attempt,
        "started": datetime.fromtimestamp(started, UTC).isoformat(timespec="milliseconds"),
        "ended": datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds"),
        "seconds": round(ended - started, 3),
    }


@cache
def code_hash(kind: str) -> str:
    """Sha256 over the source of every module of ours that a stage of this kind can import.

    The modules are found by reading import statements, so nothing heavy is loaded. It is advice: a
    differing hash is a warning, since most edits change no result.
    """
    entries = [f"{_CORE}.stages.{path.stem}" for path in _STAGES.glob(f"{kind}*.py")]
    digest = hashlib.sha256()
    for module in sorted(_reachable(entries)):
        path = _file_of(module)
        if path:
            digest.update(module.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _reachable(entries: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        module = waiting.pop()
        path = _file_of(module)
        if module in found or path is None:
            continue
        found.add(module)
        waiting.extend(_imports(path))
    return found


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(_CORE))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_CORE):
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    place = _SOURCE.joinpath(*module.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


@cache
def _commit() -> str | None:
    if not (_SOURCE / ".git").exists():
        return None
    command = ["git", "-C", str(_SOURCE), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version) for name in _PACKAGES if (version := _version(name)))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device(execution: Execution) -> str:
    # A stage that used a GPU has imported torch; importing it here only to ask would cost seconds.
    torch = sys.modules.get("torch")
    if execution.device != "cpu" and torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "cpu"
