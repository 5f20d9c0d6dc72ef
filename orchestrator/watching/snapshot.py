"""A sweep at one moment, as a person wants to see it: a value, made from what is known of it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.store.sweep_record import StageRecord, SweepRecord
from orchestrator.watching.estimates import Estimates, Places
from orchestrator.watching.features_seen import FeaturesSeen
from orchestrator.watching.sighting import Sighting
from orchestrator.watching.time_left import State, TimeLeft, Work, corrected, time_left

STATES: tuple[State, ...] = ("done", "running", "waiting", "failed", "blocked")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of one stage.

    Attributes:
        state: where it is; `blocked` = it needs one that failed.
        spent: seconds that it took, or has run so far.
        sighting: of a running one.
        placed: of a running one, whether a worker has begun it.
        problem: of a failed one, class and message.
        features: that a running or finished one used.
    """

    state: State
    spent: float = 0.0
    sighting: Sighting = field(default_factory=Sighting)
    placed: bool = True
    problem: str = ""
    features: FeaturesSeen = field(default_factory=FeaturesSeen)


@dataclass(frozen=True)
class Saved:
    """What sharing has saved so far: stages not run again, their FLOPs, hours, GPU-hours."""

    stages: int = 0
    flops: float = 0.0
    hours: float = 0.0
    gpu_hours: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """A running stage: its name, what it is at, seconds to its end if they can be told."""

    name: str
    sighting: Sighting
    placed: bool
    spent: float
    left: float | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A sweep at one moment.

    Attributes:
        name: of the sweep.
        counts: stages by state.
        shares: part of the work by state, 0 to 1; the run part of a running stage counts as done.
        running: the stages under way, the longest first.
        failures: name, and class with message, of what failed.
        next_waiting: the stage that waits for places rather than for other stages, and for what.
        saved: by sharing.
        features: used by all stages so far.
        left: to the end of what can still be done; None when nothing is.
    """

    name: str
    counts: Mapping[State, int]
    shares: Mapping[State, float]
    running: Sequence[Row]
    failures: Sequence[tuple[str, str]]
    next_waiting: str
    saved: Saved
    features: FeaturesSeen
    left: TimeLeft | None

    @property
    def total(self) -> int:
        """Stages in all."""
        return sum(self.counts.values())


class Sights:
    """Makes snapshots of one sweep; holds what does not change from one to the next.

    Args:
        record: the sweep.
        keys: its stages that are looked at; in the order of the record.
        estimates: what was planned of them.
    """

    def __init__(
        self, record: SweepRecord, estimates: Estimates, keys: frozenset[str] | None = None
    ) -> None:
        self._name = record.name
        self._estimates = estimates
        wanted = {key: stage for key, stage in record.stages.items() if keys is None or key in keys}
        self._stages: Mapping[str, StageRecord] = wanted
        self._names = record.labels()
        # Of a cluster that nobody asked for its size, the most that ran at once.
        self._widest: Places | None = None
        self._users = Counter(key for each in record.variants for key in each.stages)

    def name(self, key: str) -> str:
        """A stage's name for people."""
        return self._names[key]

    @property
    def keys(self) -> Sequence[str]:
        """The stages looked at."""
        return tuple(self._stages)

    def snapshot(self, known: Mapping[str, Known]) -> Snapshot:
        """The sweep as it is when this is `known` of its stages."""
        works = {key: self._work(key, known[key]) for key in self._stages}
        seconds = corrected(works)
        places = self._estimates.places or self._seen_places(works)
        open_ = any(each.state in ("running", "waiting") for each in known.values())
        return Snapshot(
            name=self._name,
            counts=Counter(known[key].state for key in self._stages),
            shares=_shares(works, seconds),
            running=self._running(known, works),
            failures=[
                (self._names[key], known[key].problem)
                for key in self._stages
                if known[key].state == "failed"
            ],
            next_waiting=self._next_waiting(works),
            saved=self._saved(known),
            features=sum((known[key].features for key in self._stages), FeaturesSeen()),
            left=time_left(works, places) if open_ else None,
        )

    def _seen_places(self, works: Mapping[str, Work]) -> Places | None:
        running = [work for work in works.values() if work.state == "running"]
        if running:
            before = self._widest or Places(0.0)
            self._widest = Places(
                max(before.cpus, math.fsum(work.cpus for work in running)),
                max(before.gpus, math.fsum(work.gpus for work in running)),
            )
        return self._widest

    def _work(self, key: str, known: Known) -> Work:
        stage, told = self._stages[key], self._estimates.of(key)
        return Work(
            label=stage.label,
            planned=told.seconds,
            cpus=told.cpus,
            gpus=told.gpus,
            parents=tuple(stage.parents.values()),
            state=known.state,
            spent=known.spent,
            share=known.sighting.share,
            left=known.sighting.left,
        )

    def _running(self, known: Mapping[str, Known], works: Mapping[str, Work]) -> Sequence[Row]:
        rows = [
            Row(
                name=self._names[key],
                sighting=known[key].sighting,
                placed=known[key].placed,
                spent=known[key].spent,
                left=works[key].left,
            )
            for key in self._stages
            if known[key].state == "running"
        ]
        return sorted(rows, key=lambda row: (not row.placed, -(row.left or 0), row.name))

    def _next_waiting(self, works: Mapping[str, Work]) -> str:
        """A gang that waits although its parents are done; small stages simply take their turn."""
        places = self._estimates.places
        if places is None:
            return ""
        free = _free(works, places)
        waiting = [
            (work.gpus, key)
            for key, work in works.items()
            if work.state == "waiting" and work.gpus > max(1.0, free.gpus)
            if all(works[each].state == "done" for each in work.parents if each in works)
        ]
        if not waiting:
            return ""
        gpus, key = max(waiting)
        return f"{self._names[key]} waits for {gpus:g} GPUs, {free.gpus:g} of {places.gpus:g} free"

    def _saved(self, known: Mapping[str, Known]) -> Saved:
        stages, flops, hours, gpu_hours = 0, 0.0, 0.0, 0.0
        for key in self._stages:
            again = self._users[key] - 1
            if known[key].state != "done" or again < 1:
                continue
            told = self._estimates.of(key)
            took = (known[key].spent or told.seconds) / 3600
            stages += again
            flops += again * told.flops
            hours += again * took
            gpu_hours += again * took * told.gpus
        return Saved(stages, flops, hours, gpu_hours)


def _free(works: Mapping[str, Work], places: Places) -> Places:
    running = [work for work in works.values() if work.state == "running"]
    return Places(
        places.cpus - math.fsum(work.cpus for work in running),
        places.gpus - math.fsum(work.gpus for work in running),
    )


def _shares(works: Mapping[str, Work], seconds: Mapping[str, float]) -> dict[State, float]:
    """Part of the whole sweep's time in each state, what has run of a running stage as done."""
    amounts: dict[State, float] = dict.fromkeys(STATES, 0.0)
    for key, work in works.items():
        amounts[work.state] += seconds[key] * (1 - work.share if work.state == "running" else 1)
        if work.state == "running":
            amounts["done"] += seconds[key] * work.share
    total = math.fsum(amounts.values()) or 1.0
    return {state: amount / total for state, amount in amounts.items()}
