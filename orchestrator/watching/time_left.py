r"""How long a sweep will still take: the plan, corrected by what was measured.

A plan's seconds are FLOPs over an assumed rate and can be wrong by a factor; the factor shows with
the first steps. It is taken for each label of stages (`align`, `sft`, `evaluate`) on its own, drawn
towards the factor of all where little of that label has run:

$$ c_l = \frac{M_l + c \bar P_l}{P_l + \bar P_l}, \qquad c = \frac{\sum_l M_l}{\sum_l P_l} $$

with $M_l$ the measured and $P_l$ the planned seconds of what ran of label $l$, and $\bar P_l$ the
planned seconds of one such stage. A running stage counts with the share of it that has run. What is
left is then put on the machine's places as the frontier does, the longest remaining path first.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.watching.estimates import Places

State = Literal["done", "running", "waiting", "failed", "blocked"]

# A stage that takes longer than it should is taken to need at least this share of itself still.
_OVERDUE = 0.1
_LEAST = 1e-6
_ROUNDING = 1e-9
# Among this many stages that all wait for the same GPUs there is hardly one that does not.
_PASSED_OVER = 64


@dataclass(frozen=True, kw_only=True)
class Work:
    """One stage, as far as time is concerned.

    Attributes:
        label: stages of one label run at one pace.
        planned: seconds that it was planned to take.
        cpus, gpus: what it holds meanwhile.
        parents: keys of the stages that it needs; those of other sweeps' making may be absent.
        state: where it is.
        spent: seconds that it took, or has run so far.
        share: of a running stage, how much of it has run, 0 to 1.
        left: of a running stage, the seconds to its end at the pace of its last steps, if known.
    """

    label: str
    planned: float
    cpus: float = 1.0
    gpus: float = 0.0
    parents: tuple[str, ...] = ()
    state: State = "waiting"
    spent: float = 0.0
    share: float = 0.0
    left: float | None = None


@dataclass(frozen=True)
class TimeLeft:
    """Seconds to the end; `measured` is False while only the plan is known."""

    seconds: float
    measured: bool


def time_left(works: Mapping[str, Work], places: Places | None) -> TimeLeft:
    """Seconds until all stages that can still be done are done.

    Args:
        works: every stage of the run, by key.
        places: what can be handed out; None = as much as the running stages hold now.
    """
    paces = _Paces(works)
    remaining = {
        key: _remaining(work, paces)
        for key, work in works.items()
        if work.state in ("running", "waiting")
    }
    return TimeLeft(_makespan(works, remaining, _room(works, places)), paces.measured)


def corrected(works: Mapping[str, Work]) -> dict[str, float]:
    """Seconds that each stage takes in all, as one would plan it now."""
    paces = _Paces(works)
    return {
        key: work.spent
        if work.state == "done" and work.spent
        else work.spent + work.left
        if work.left is not None
        else paces.seconds(work)
        for key, work in works.items()
    }


class _Paces:
    """Measured over planned seconds, by label."""

    def __init__(self, works: Mapping[str, Work]) -> None:
        self._spent: dict[str, float] = {}
        self._planned: dict[str, float] = {}
        count: dict[str, int] = {}
        total: dict[str, float] = {}
        for work in works.values():
            count[work.label] = count.get(work.label, 0) + 1
            total[work.label] = total.get(work.label, 0.0) + _planned(work)
            share, spent = _measured(work)
            self._spent[work.label] = self._spent.get(work.label, 0.0) + share * spent
            self._planned[work.label] = self._planned.get(work.label, 0.0) + share * _planned(
                work
            ) * (spent > 0)
        self._one = {label: total[label] / count[label] for label in count}
        planned = math.fsum(self._planned.values())
        self.measured = planned > 0
        self._all = math.fsum(self._spent.values()) / planned if planned else 1.0

    def seconds(self, work: Work) -> float:
        one = self._one[work.label]
        measured, planned = self._spent[work.label], self._planned[work.label]
        return _planned(work) * (measured + self._all * one) / (planned + one)


def _planned(work: Work) -> float:
    return max(work.planned, _LEAST)


def _measured(work: Work) -> tuple[float, float]:
    """How much of a stage has been measured, and what all of it takes by that."""
    if work.state == "done":
        return (1.0, work.spent) if work.spent else (0.0, 0.0)
    if work.state == "running" and work.left is not None and work.share < 1:
        # Without the stage's start: what one loads once is not what the rest will take.
        return work.share, work.left / (1 - work.share)
    return 0.0, 0.0


def _remaining(work: Work, paces: _Paces) -> float:
    if work.state == "running":
        if work.left is not None:
            return work.left
        whole = paces.seconds(work)
        return max(whole - work.spent, _OVERDUE * whole)
    return paces.seconds(work)


def _room(works: Mapping[str, Work], places: Places | None) -> Places:
    running = [work for work in works.values() if work.state == "running"]
    held = Places(sum(work.cpus for work in running), sum(work.gpus for work in running))
    return Places(max(held.cpus, places.cpus), max(held.gpus, places.gpus)) if places else held


def _makespan(works: Mapping[str, Work], remaining: Mapping[str, float], room: Places) -> float:
    """When the last stage ends, each starting as early as order and places allow."""
    paths = _paths(works, remaining)
    missing = {
        key: sum(parent in remaining for parent in set(works[key].parents)) for key in remaining
    }
    children: dict[str, list[str]] = {}
    for key in remaining:
        for parent in set(works[key].parents):
            children.setdefault(parent, []).append(key)
    now, cpus, gpus = 0.0, room.cpus, room.gpus
    running: list[tuple[float, str]] = []
    waiting: list[tuple[float, str]] = []
    for key, seconds in remaining.items():
        if works[key].state == "running":
            heapq.heappush(running, (seconds, key))
            cpus, gpus = cpus - works[key].cpus, gpus - works[key].gpus
        elif not missing[key]:
            heapq.heappush(waiting, (-paths[key], key))
    while running or waiting:
        for key in _started(works, waiting, cpus, gpus, alone=not running):
            heapq.heappush(running, (now + remaining[key], key))
            cpus, gpus = cpus - works[key].cpus, gpus - works[key].gpus
        now, ended = heapq.heappop(running)
        cpus, gpus = cpus + works[ended].cpus, gpus + works[ended].gpus
        for child in children.get(ended, ()):
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(waiting, (-paths[child], child))
    return now


def _started(
    works: Mapping[str, Work],
    waiting: list[tuple[float, str]],
    cpus: float,
    gpus: float,
    *,
    alone: bool,
) -> list[str]:
    """Take what starts now out of `waiting`; what does not fit keeps what it waits for."""
    started: list[str] = []
    back: list[tuple[float, str]] = []
    while waiting and len(back) < _PASSED_OVER and (cpus > _ROUNDING or alone):
        entry = heapq.heappop(waiting)
        work = works[entry[1]]
        fits = cpus - work.cpus >= -_ROUNDING and gpus - work.gpus >= -_ROUNDING
        if fits or alone:
            alone = False
            started.append(entry[1])
        else:
            back.append(entry)
        cpus, gpus = cpus - work.cpus, max(0.0, gpus - work.gpus)
    for entry in back:
        heapq.heappush(waiting, entry)
    return started


def _paths(works: Mapping[str, Work], remaining: Mapping[str, float]) -> dict[str, float]:
    """Seconds from the start of each stage to the end of the longest chain that begins with it."""
    after = dict.fromkeys(remaining, 0.0)
    for key in reversed(_parents_first(works, remaining)):
        for parent in works[key].parents:
            if parent in after:
                after[parent] = max(after[parent], remaining[key] + after[key])
    return {key: remaining[key] + after[key] for key in remaining}


def _parents_first(works: Mapping[str, Work], keys: Mapping[str, float]) -> list[str]:
    ordered: dict[str, None] = {}
    for start in keys:
        open_ = [start]
        while open_:
            key = open_[-1]
            missing = [each for each in works[key].parents if each in keys and each not in ordered]
            if missing:
                open_.extend(missing)
            else:
                ordered[open_.pop()] = None
    return list(ordered)
