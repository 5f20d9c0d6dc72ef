"""A stage's events, with those of earlier attempts in front where an attempt goes on from one.

An attempt that resumes after step k reports from k + 1 on. What was reported before lies in folders
of attempts that are over, which are removed; so it is carried along beside the checkpoint.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from apollo_core.stages.context import Event
from orchestrator.files import read_json_lines, write_atomically
from orchestrator.store.store import JsonObject

_REPORTED = "reported.jsonl"


class EventLog:
    """Writes `metrics.jsonl` of one attempt.

    An attempt may report nothing and yet end well: an earlier one was stopped after the last step.
    Its events are the earlier ones.

    Args:
        path: where.
        earlier: what earlier attempts reported.
    """

    def __init__(self, path: Path, earlier: Iterable[JsonObject]) -> None:
        self._file = path.open("w", encoding="utf-8", buffering=1)
        self._earlier = list(earlier)

    def __enter__(self) -> EventLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._write(self._earlier)
        self._file.close()

    def write(self, event: Event) -> None:
        """Append an event; before the first, the earlier attempts' of the steps before it."""
        self._write([*_before(event, self._earlier), {**event, "time": round(time.time(), 3)}])
        self._earlier = []

    def _write(self, events: Iterable[Event | JsonObject]) -> None:
        for event in events:
            self._file.write(json.dumps(event) + "\n")


def carry_along(checkpoints: Path, logs: Iterable[Path]) -> list[JsonObject]:
    """What earlier attempts reported, each step once; kept in `checkpoints` for later attempts.

    Without that folder no attempt goes on from another, and there is nothing to carry.

    Args:
        checkpoints: the stage's.
        logs: `metrics.jsonl` of attempts that are over, oldest first.
    """
    if not checkpoints.is_dir():
        return []
    kept = checkpoints / _REPORTED
    events = read_json_lines(kept)
    for log in logs:
        newer = read_json_lines(log)
        events = [*_before(newer[0], events), *newer] if newer else events
    write_atomically(kept, "".join(json.dumps(event) + "\n" for event in events), durable=False)
    return events


def _before(event: Event | JsonObject, events: Iterable[JsonObject]) -> list[JsonObject]:
    """Those that an attempt whose first event this is does not report again."""
    # Beside a step of its own it may tell after which it went on; that one was reported.
    done = max(_number(event, "step") - 1, _number(event, "resumed_after"))
    return [each for each in events if _number(each, "step") <= done]


def _number(event: Event | JsonObject, name: str) -> float:
    value = event.get(name)
    return value if isinstance(value, int | float) else 0
