"""The code that workers on other machines run: the driver's own, sent along by Ray.

Two packages go, about a megabyte as a zip; Ray keeps it under its content's hash, so that each node
fetches it once. What they stand on (torch, transformers, ...) is not sent: the cluster's image has
it.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import apollo_core
import orchestrator

_PACKAGES = (apollo_core, orchestrator)


def runtime_environment(folder: Path, *, ship: bool) -> dict[str, Any]:
    """What `ray.init` is to give every worker.

    Nothing of the environment goes along: Ray writes it into its logs, and credentials are often in
    it.

    Args:
        folder: where the packages are put together; Ray reads it once, at its start.
        ship: send our packages; else those that are installed on the nodes run.
    """
    if not ship:
        return {}
    # As `working_dir` and not `py_modules`: without one, Ray puts the path of the driver's current
    # folder before all that it sends, and what lies there on a node may be older.
    code = folder / "code"
    for package in _PACKAGES:
        source = Path(str(package.__file__)).parent
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, code / package.__name__, ignore=ignore)
    return {"working_dir": str(code)}


def code_digest() -> str:
    """sha256 over our packages' sources, as the process that calls it imports them."""
    whole = hashlib.sha256()
    for package in _PACKAGES:
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*.py")):
            name = f"{package.__name__}/{path.relative_to(folder).as_posix()}"
            whole.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()
