"""Which stage comes next: pure scheduling over the stage graph.

Order: the longest remaining path first (by planned seconds), so that the end of the sweep is not
one long chain. Resources: the first stage that does not fit now keeps what it waits for, on the
machines where it will run - no later stage in that order may take a GPU or a CPU that it needs - so
a gang of GPUs is never starved by a stream of small stages, nor kept apart by stages spread over
machines. Only what is planned to end before its turn may use the room that is kept for it
(backfilling, as batch schedulers do since EASY: Mu'alem and Feitelson, 2001).
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Iterable, Mapping

from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.room import Capacity, Room, Share
from orchestrator.engine.task import StageTask


class Frontier:
    """The state of one run over a stage graph.

    Args:
        tasks: every stage of the sweep that is not done; a parent that is not among them is done.
        failed: stages among them that are not to be tried: key -> why.
        clock: seconds from any start; it tells how long a stage has been running.
    """

    def __init__(
        self,
        tasks: Iterable[StageTask],
        failed: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tasks = {task.key: task for task in tasks}
        self._children = _children(self._tasks)
        self._remaining = remaining_paths(self._tasks)
        self._waiting_for = {
            key: {parent for parent in task.parents.values() if parent in self._tasks}
            for key, task in self._tasks.items()
        }
        self._waiting = set(self._tasks)
        self._room = Room()
        self._places: dict[str, tuple[Share, ...]] = {}
        self._clock = clock
        self._began: dict[str, float] = {}
        self._pace = _Pace()
        # Replaced, never changed in place: a display thread reads it.
        self.running: frozenset[str] = frozenset()
        self.blocked: dict[str, str] = {}
        for key in failed or {}:
            self._waiting.discard(key)
            self._block_descendants(key)
        # Kept in order: a large sweep asks for the next stage thousands of times.
        self._ready = sorted(
            (-self._remaining[key], key) for key in self._waiting if not self._waiting_for[key]
        )

    @property
    def is_finished(self) -> bool:
        """Whether nothing runs and nothing can still start."""
        return not self.running and not self._waiting

    def task(self, key: str) -> StageTask:
        """The stage with this key."""
        return self._tasks[key]

    def unfinished(self) -> list[StageTask]:
        """Stages that this run still means to bring to an end."""
        return [self._tasks[key] for key in sorted(self._waiting | self.running)]

    def ready(self) -> list[StageTask]:
        """Stages whose parents are done, the most urgent first."""
        return [self._tasks[key] for _, key in self._ready]

    def next(self, capacity: Capacity | None = None) -> StageTask | None:
        """Hand out the stage to start now, or None while there is none.

        Args:
            capacity: what exists in all, running stages included; None hands out regardless.
        """
        chosen = self._choose(capacity)
        if chosen:
            self.start(chosen.key)
        return chosen

    def start(self, key: str) -> None:
        """Count a ready stage as running."""
        self._waiting.discard(key)
        self._ready.remove((-self._remaining[key], key))
        self.running |= {key}
        self._began[key] = self._clock()

    def place(self, key: str) -> tuple[Share, ...]:
        """What a running stage holds where; empty for one that waits for machines to come."""
        return self._places.get(key, ())

    def put_back(self, key: str) -> None:
        """A running stage lost its worker: it is ready again."""
        self._leave(key)
        self._waiting.add(key)
        insort(self._ready, (-self._remaining[key], key))

    def end(self, outcome: StageOutcome) -> None:
        """Take a running stage's outcome: its children become ready, or blocked."""
        if outcome.status == "done" and outcome.ran:
            self._pace.take(self._tasks[outcome.key].seconds, outcome.seconds)
        self._leave(outcome.key)
        if outcome.status == "failed":
            self._block_descendants(outcome.key)
            return
        for child in self._children[outcome.key]:
            self._waiting_for[child].discard(outcome.key)
            if child in self._waiting and not self._waiting_for[child]:
                insort(self._ready, (-self._remaining[child], child))

    def _choose(self, capacity: Capacity | None) -> StageTask | None:
        ready = self.ready()
        if capacity is None:
            return ready[0] if ready else None
        self._room.update(capacity.machines())
        room = self._room_for_others()
        hopeless: set[tuple[float, ...]] = set()
        first: StageTask | None = None
        for task in ready:
            needs = _needs(task)
            if needs in hopeless:
                continue
            shares = room.fit(task)
            if shares:
                self._hold(task.key, shares)
                return task
            # Larger than all there is: a cluster that grows on demand has to be asked.
            if not self._room.could_hold(task):
                return task
            # Reserve: what the first one waits for is not there for those behind it. The others
            # have their turn as the first; all their reservations together would idle the cluster.
            if first is None:
                first = task
                room.reserve(task)
            else:
                hopeless.add(needs)
        return self._backfill(ready, first) if first else None

    def _backfill(self, ready: Iterable[StageTask], first: StageTask) -> StageTask | None:
        """A stage that is planned to end before the first of those that wait has its turn."""
        if self.running - self._places.keys():
            return None  # machines were asked for: all room there is may be meant for those
        left = self._turn(first) - self._clock()
        hopeless: set[tuple[float, ...]] = set()
        for task in ready:
            if not 0 < self._pace.of(task) <= left or _needs(task) in hopeless:
                continue
            shares = self._room.fit(task)
            if shares:
                self._hold(task.key, shares)
                return task
            hopeless.add(_needs(task))
        return None

    def _turn(self, task: StageTask) -> float:
        """When a stage that does not fit now is planned to fit, on the clock."""
        room = self._room.copy()
        ends = {key: self._began[key] + self._pace.of(self._tasks[key]) for key in self._places}
        for key in sorted(ends, key=lambda key: (ends[key], key)):
            room.release(key)
            if room.fit(task):
                return ends[key]
        return self._clock()

    def _room_for_others(self) -> Room:
        """What stages that were asked for before there was room leave of the room there is now."""
        for key in sorted(self.running - self._places.keys()):
            shares = self._room.fit(self._tasks[key])
            if shares:
                self._hold(key, shares)
        room = self._room.copy()
        for key in sorted(self.running - self._places.keys()):
            if room.could_hold(self._tasks[key]):
                room.reserve(self._tasks[key])
        return room

    def _hold(self, key: str, shares: tuple[Share, ...]) -> None:
        self._places[key] = shares
        self._room.take(key, shares)

    def _leave(self, key: str) -> None:
        self.running -= {key}
        self._began.pop(key, None)
        self._places.pop(key, None)
        self._room.release(key)

    def _block_descendants(self, key: str) -> None:
        waiting = list(self._children[key])
        while waiting:
            child = waiting.pop()
            if child in self.blocked:
                continue
            self.blocked[child] = key
            self._waiting.discard(child)
            waiting.extend(self._children[child])


class _Pace:
    """How long stages take beside what was planned, from those that have ended."""

    def __init__(self) -> None:
        self._planned = 0.0
        self._took = 0.0

    def take(self, planned: float, took: float) -> None:
        self._planned += planned
        self._took += took

    def of(self, task: StageTask) -> float:
        """Expected seconds; 0 = nothing is known of this stage."""
        return task.seconds * (self._took / self._planned if self._planned else 1.0)


def _needs(task: StageTask) -> tuple[float, ...]:
    return task.cpus, task.gpus, task.memory


def remaining_paths(tasks: Mapping[str, StageTask]) -> dict[str, float]:
    """Planned seconds from the start of each stage to the end of its longest chain of children."""
    children = _children(tasks)
    found: dict[str, float] = {}
    for key in reversed(_parents_first(tasks)):
        after = max((found[child] for child in children[key]), default=0.0)
        found[key] = tasks[key].seconds + after
    return found


def _children(tasks: Mapping[str, StageTask]) -> dict[str, set[str]]:
    children: dict[str, set[str]] = {key: set() for key in tasks}
    for key, task in tasks.items():
        for parent in task.parents.values():
            if parent in children:
                children[parent].add(key)
    return children


def _parents_first(tasks: Mapping[str, StageTask]) -> list[str]:
    ordered: dict[str, None] = {}
    for start in tasks:
        waiting = [start]
        while waiting:
            key = waiting[-1]
            missing = [
                parent
                for parent in tasks[key].parents.values()
                if parent in tasks and parent not in ordered
            ]
            if missing:
                waiting.extend(missing)
            else:
                ordered[waiting.pop()] = None
    return list(ordered)
