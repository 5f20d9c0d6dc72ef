"""Which of a stage's events the MLflow view shows: at most 200 points a metric, always the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

MOST_POINTS = 200

_NOT_METRICS = frozenset({"step", "steps", "time"})
_ALLOWED = re.compile(r"[^\w\-./: ]")


@dataclass(frozen=True)
class Point:
    """One value of one metric at one step; time in milliseconds since the epoch."""

    name: str
    value: float
    step: int
    time_ms: int


def thinned(events: Iterable[Mapping[str, JsonValue]]) -> list[Point]:
    """The points to show of a stage's events.

    Every n-th step is kept, n from the number of steps that the events tell, and the first and the
    last: a choice that does not depend on when one looks.
    """
    points: list[Point] = []
    counts: dict[str, int] = {}
    for event in events:
        step, steps = _whole(event.get("step")), _whole(event.get("steps"))
        if step is None or not is_shown(step, steps or step):
            continue
        time_ms = int(1000 * _number(event.get("time")))
        for name, value in event.items():
            if name in _NOT_METRICS or isinstance(value, bool | str | None):
                continue
            if isinstance(value, int | float) and counts.get(name, 0) < MOST_POINTS:
                counts[name] = counts.get(name, 0) + 1
                points.append(Point(name, float(value), step, time_ms))
    return points


def is_shown(step: int, steps: int) -> bool:
    """Whether step `step` of `steps` (counted from 1) is among the points shown."""
    stride = -(-steps // (MOST_POINTS - 2))
    return step in (1, steps) or step % stride == 0


def metric_name(text: str) -> str:
    """`text` with what MLflow does not allow in a metric's name replaced."""
    return _ALLOWED.sub("_", text)


def _whole(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
