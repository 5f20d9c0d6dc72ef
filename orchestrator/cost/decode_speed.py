"""Seconds in which a processor decodes a frame: as finished stages show it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from orchestrator.files import last_json_lines
from orchestrator.store.store import JsonObject

# Of a step's time: a stage that waits for more is as fast as its decoders.
_BOUND = 0.5
# Frames that a stage must have decoded to tell anything: fewer take seconds, and so does the start
# of its decoders.
_ENOUGH = 500
_METRICS = "metrics.jsonl"


def measured_frame(
    frames: Mapping[str, float], decoders: Mapping[str, int], *, store: Path, assumed: float
) -> tuple[float, str]:
    """Seconds of a frame, and where that is from.

    A stage that mostly waited for its data was as fast as its decoders. One that did not wait tells
    that they are no slower than it was.

    Args:
        frames: that each stage looks at, by key; only training stages tell anything, and only those
            that decoded some hundreds.
        decoders: processes that read for it.
        store: where results lie; it need not exist.
        assumed: where no stage tells more.
    """
    waited: list[float] = []
    kept_up: list[float] = []
    for key, count in frames.items():
        folder = store / "stages" / key
        if not count or not (folder / "DONE").exists():
            continue
        told = _pace(last_json_lines(folder / _METRICS))
        if told is None:
            continue
        seconds, waits, decoded = told
        if decoded * count >= _ENOUGH:
            frame = seconds * decoders[key] / (decoded * count)
            (waited if waits > _BOUND else kept_up).append(frame)
    if waited:
        return median(waited), f"median of {len(waited)} finished stages"
    if kept_up and min(kept_up) < assumed:
        return min(kept_up), f"at most, by {len(kept_up)} finished stages"
    return assumed, "assumed"


def _pace(events: list[JsonObject]) -> tuple[float, float, float] | None:
    """Seconds of all steps, the share of them that went by waiting, and the share of media that
    were decoded; None where the last events do not say.

    A stage's first step waits for its decoders to start.
    """
    steps = [each for each in events if "data_seconds" in each and each.get("step") != 1]
    took = math.fsum(_number(each, "seconds") for each in steps)
    if not took:
        return None
    waits = math.fsum(_number(each, "data_seconds") for each in steps) / took
    last = steps[-1]
    hits, misses = _number(last, "feature_hits"), _number(last, "feature_misses")
    decoded = misses / (hits + misses) if hits + misses else 1.0
    return took / len(steps) * _number(last, "steps"), waits, decoded


def _number(event: JsonObject, name: str) -> float:
    value = event.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0
