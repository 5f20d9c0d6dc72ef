"""Which of a stage's events the MLflow view shows: at most 100 points a metric, always the same."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from orchestrator.files import json_objects

# A point costs about 0.1 ms of the driver on SQLite (two busy cores), nearly all of it in MLflow.
MOST_POINTS = 100

_NOT_METRICS = frozenset({"step", "steps", "time"})
_SYSTEM = "system/"
_ALLOWED = re.compile(r"[^\w\-./: ]")


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one metric at one step; time in milliseconds since the epoch."""

    name: str
    value: float
    step: int
    time_ms: int


class Series:
    """The points to show of one stage, taken event by event.

    Every n-th step is shown, n from the number of steps that the events tell, and the first and the
    last: a choice that does not depend on when one looks.
    """

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._counts: dict[str, int] = {}

    def take(self, event: Mapping[str, JsonValue]) -> None:
        """Note one event, in the order in which the stage told them."""
        step, steps = _whole(event.get("step")), _whole(event.get("steps"))
        if step is None or not is_shown(step, steps or step):
            return
        time_ms = int(1000 * _number(event.get("time")))
        for name, value in event.items():
            if name in _NOT_METRICS or isinstance(value, bool | str | None):
                continue
            if isinstance(value, int | float) and self._counts.get(name, 0) < MOST_POINTS:
                self._counts[name] = self._counts.get(name, 0) + 1
                self.points.append(Point(name, float(value), step, time_ms))


class SeriesFile:
    """The points of a stage whose file of events grows; each look reads what is new only."""

    def __init__(self) -> None:
        self._series = Series()
        self._inode = 0
        self._offset = 0

    def points(self, path: Path) -> list[Point]:
        """All points that are there by now; none where the file is not there yet.

        A finished stage's file is the attempt's under another name; a new attempt's is another.
        """
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                if status.st_ino != self._inode or status.st_size < self._offset:
                    self._series, self._inode, self._offset = Series(), status.st_ino, 0
                file.seek(self._offset)
                text = file.read()
        except (FileNotFoundError, NotADirectoryError):
            return []
        whole = text.rfind(b"\n") + 1  # a last line may still be under way
        self._offset += whole
        for event in json_objects(text[:whole].decode("utf-8", errors="replace").splitlines()):
            self._series.take(event)
        return self._series.points


def thinned(events: Iterable[Mapping[str, JsonValue]]) -> list[Point]:
    """The points to show of a stage's events."""
    series = Series()
    for event in events:
        series.take(event)
    return series.points


def is_shown(step: int, steps: int) -> bool:
    """Whether step `step` of `steps` (counted from 1) is among the points shown."""
    stride = -(-steps // (MOST_POINTS - 2))
    return step in (1, steps) or step % stride == 0


def stage_metric(stage: str, name: str) -> str:
    """A point's name in the view; what the MLflow UI shows as a system metric begins with that."""
    if name.startswith(_SYSTEM):
        return metric_name(f"{_SYSTEM}{stage}/{name.removeprefix(_SYSTEM)}")
    return metric_name(f"{stage}/{name}")


def metric_name(text: str) -> str:
    """`text` with what MLflow does not allow in a metric's name replaced."""
    return _ALLOWED.sub("_", text)


def _whole(value: JsonValue) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
