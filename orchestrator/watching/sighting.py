"""What a running stage is at, from the last events that it left in the store."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pydantic import JsonValue

from orchestrator.store.store import JsonObject


@dataclass(frozen=True)
class Sighting:
    """A running stage at its last event; all unknown before the first.

    Attributes:
        step, steps: the last step, and how many there are; 0 = not known.
        loss: of that step.
        left: seconds from that step to the last one, at the pace of the steps just before.
    """

    step: int = 0
    steps: int = 0
    loss: float | None = None
    left: float | None = None

    @property
    def share(self) -> float:
        """How much of the stage has run, 0 to 1."""
        return min(1.0, self.step / self.steps) if self.steps else 0.0


def sighting_of(events: Sequence[JsonObject]) -> Sighting:
    """What its last events, oldest first, say of a stage."""
    last = next((event for event in reversed(events) if "step" in event), None)
    if last is None:
        return Sighting()
    step, steps = int(_number(last.get("step")) or 0), int(_number(last.get("steps")) or 0)
    losses = (_number(event.get("loss")) for event in reversed(events))
    pace = _pace(events)
    left = pace * max(0, steps - step) if pace is not None and steps else None
    return Sighting(step, steps, next((each for each in losses if each is not None), None), left)


def _pace(events: Sequence[JsonObject]) -> float | None:
    """Seconds of a step: the median, since one between two attempts took as long as the break."""
    at = [(_number(event.get("step")), _number(event.get("time"))) for event in events]
    known = [(step, time) for step, time in at if step is not None and time is not None]
    paces = [
        (later[1] - sooner[1]) / (later[0] - sooner[0])
        for sooner, later in pairwise(known)
        if later[0] > sooner[0] and later[1] >= sooner[1]
    ]
    return statistics.median(paces) if paces else None


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
