"""Which stage comes next: pure scheduling over the stage graph.

Order: the longest remaining path first (by planned seconds), so that the end of the sweep is not
one long chain. Resources: a stage that does not fit now keeps what it waits for, on the machines
where it will run - no later stage in that order may take a GPU or a CPU that it needs - so a gang
of GPUs is never starved by a stream of small stages, nor kept apart by stages spread over machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.room import Capacity, Room, Share
from orchestrator.engine.task import StageTask


class Frontier:
    """The state of one run over a stage graph.

    Args:
        tasks: every stage of the sweep that is not done; a parent that is not among them is done.
        failed: stages among them that are not to be tried: key -> why.
    """

    def __init__(self, tasks: Iterable[StageTask], failed: Mapping[str, str] | None = None) -> None:
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
        # Replaced, never changed in place: a display thread reads it.
        self.running: frozenset[str] = frozenset()
        self.blocked: dict[str, str] = {}
        for key in failed or {}:
            self._waiting.discard(key)
            self._block_descendants(key)

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
        keys = (key for key in self._waiting if not self._waiting_for[key])
        ordered = sorted(keys, key=lambda key: (-self._remaining[key], key))
        return [self._tasks[key] for key in ordered]

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
        self.running |= {key}

    def place(self, key: str) -> tuple[Share, ...]:
        """What a running stage holds where; empty for one that waits for machines to come."""
        return self._places.get(key, ())

    def put_back(self, key: str) -> None:
        """A running stage lost its worker: it is ready again."""
        self._leave(key)
        self._waiting.add(key)

    def end(self, outcome: StageOutcome) -> None:
        """Take a running stage's outcome: its children become ready, or blocked."""
        self._leave(outcome.key)
        if outcome.status == "failed":
            self._block_descendants(outcome.key)
            return
        for child in self._children[outcome.key]:
            self._waiting_for[child].discard(outcome.key)

    def _choose(self, capacity: Capacity | None) -> StageTask | None:
        ready = self.ready()
        if capacity is None:
            return ready[0] if ready else None
        self._room.update(capacity.machines())
        room = self._room_for_others()
        hopeless: set[tuple[float, ...]] = set()
        for task in ready:
            needs = (task.cpus, task.gpus, task.memory)
            if needs in hopeless:
                continue
            shares = room.fit(task)
            if shares:
                self._hold(task.key, shares)
                return task
            # Larger than all there is: a cluster that grows on demand has to be asked.
            if not self._room.could_hold(task):
                return task
            # Reserve: what this one waits for is not there for the stages behind it.
            if not room.reserve(task):
                hopeless.add(needs)
        return None

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
