"""What became of one stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class StageOutcome:
    """The end of one stage in this run.

    Attributes:
        key: the stage key.
        status: `done` or `failed`.
        failure_class, message: why it failed; empty when done.
        seconds: how long it took here.
        ran: False when another driver's result, or one that was there already, was taken.
    """

    key: str
    status: Literal["done", "failed"]
    failure_class: str = ""
    message: str = ""
    seconds: float = 0.0
    ran: bool = True
