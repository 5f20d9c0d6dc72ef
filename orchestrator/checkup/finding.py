"""One thing that was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at, in words; unless it is ok, also what mends it.

    `broken` would break a run, `warning` would not, or not at once.
    """

    state: State
    text: str
    mend: str = ""


def ok(text: str) -> Finding:
    """Something that is as it should be."""
    return Finding("ok", text)


def warning(text: str, mend: str) -> Finding:
    """Something that a run survives."""
    return Finding("warning", text, mend)


def broken(text: str, mend: str) -> Finding:
    """Something that no run survives."""
    return Finding("broken", text, mend)
