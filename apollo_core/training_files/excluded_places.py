"""How a stage is told where the list of what it leaves out lies: beside the set's own place."""

from __future__ import annotations

import json
from pathlib import Path


def exclusion_place(fingerprint: str) -> str:
    """The key under which a stage's locations have the list of the set with this fingerprint."""
    return f"without:{fingerprint}"


def exclusion_location(path: Path, name: str) -> str:
    """What stands there: the list, and the set's name in it."""
    return json.dumps([str(path), name])


def exclusion_told(location: str) -> tuple[Path, str]:
    """The list and the set's name, from `exclusion_location`."""
    path, name = json.loads(location)
    return Path(path), name
