"""What Tune asks and tells, answered from the frontier: which stage next, and what became of it.

A trial is one attempt. A worker that is lost puts its stage back into the frontier, where it waits
for room like any other; whether it may be tried again is for the next worker to decide
(`orchestrator.store.retries`), which knows more about the end of the last one.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apollo_core.errors import ApolloError
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.outcome import StageOutcome
from orchestrator.engine.ray.loss import Loss
from orchestrator.engine.room import Capacity
from orchestrator.engine.task import StageTask
from orchestrator.store import failures, lease
from orchestrator.store.cause_of_death import leave_word
from orchestrator.store.retries import INFRA, PREEMPTED
from orchestrator.store.store import Store

Tell = Callable[[tuple[Any, ...]], None]

# Beyond what the rules allow of any class: workers that die before they have begun.
_MOST_LOSSES = 8
# Machines come and go in seconds; stages end more often than that.
_LOOK_EVERY = 0.5


class Stuck(ApolloError):
    """Ray took a stage and no worker began with it: another Ray may."""


class HandOut:
    """One run's conversation with Tune.

    Args:
        frontier: of the run.
        tell: takes ("started", key), ("lost", key) and ("ended", outcome).
        capacity: what the cluster has now.
        patience: seconds to wait for machines that can hold what none can yet.
        begin_within: of a cluster whose machines are all there, seconds in which a worker has to
            begin with a stage that has its room; None waits as long as it takes, as a cluster may
            that starts machines.
        stopping: once it is set, nothing more is handed out.
    """

    def __init__(
        self,
        frontier: Frontier,
        tell: Tell,
        capacity: Callable[[], Capacity],
        *,
        patience: float,
        begin_within: float | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self._frontier = frontier
        self._tell = tell
        self._look = capacity
        self._patience = patience
        self._begin_within = begin_within
        self._stopping = stopping or threading.Event()
        # When a stage was handed out, and how often it had been begun by then.
        self._handed: dict[str, tuple[float, int]] = {}
        self._keys: dict[str, str] = {}
        self._losses: Counter[str] = Counter()
        self._capacity = Capacity(0.0)
        self._looked = -_LOOK_EVERY
        self._moved = time.monotonic()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to hand out, now or later."""
        return self._stopping.is_set() or self._frontier.is_finished

    def next(self, trial: str) -> dict[str, str] | None:
        """The configuration of a trial: its stage and where it is to run; None while none fits.

        Raises:
            Stuck: no worker began in time with a stage that was handed out, or none ever will.
            ApolloError: machines that would hold a stage did not come in time.
        """
        self._refuse_to_wait_for_workers()
        capacity = self._now()
        if self._begin_within is not None and not capacity.cpus:
            raise Stuck("Ray counts this machine as dead")
        task = self._frontier.next(capacity)
        if task is None:
            self._refuse_to_wait_forever()
            return None
        self._moved = time.monotonic()
        self._keys[trial] = task.key
        self._handed[task.key] = time.monotonic(), _begun(task)
        self._tell(("started", task.key))
        place = [asdict(share) for share in self._frontier.place(task.key)]
        return {"task": task.model_dump_json(), "place": json.dumps(place)}

    def ended(self, trial: str, outcome: StageOutcome) -> None:
        """A worker came to an end with its stage, good or bad."""
        self._handed.pop(self._keys.pop(trial), None)
        self._moved = time.monotonic()
        self._frontier.end(outcome)
        self._tell(("ended", outcome))

    def lost(self, trial: str, loss: Loss) -> None:
        """A worker went away in the middle of its stage."""
        key = self._keys[trial]
        task = self._frontier.task(key)
        if self._stopping.is_set() and not loss.failure_class:
            loss = Loss(PREEMPTED, "its run was stopped")  # by us, however it went
        attempts = Store(Path(task.store)).attempts_folder(key)
        if loss.failure_class and attempts.is_dir():
            with contextlib.suppress(
                OSError
            ):  # a full disk: the loss is then one of no known cause
                leave_word(attempts, loss.failure_class, loss.message)
        self._losses[key] += loss.counts
        self._looked = -_LOOK_EVERY
        if loss.is_final or self._losses[key] > _MOST_LOSSES:
            self.ended(trial, _gave_up(task, attempts, loss))
            return
        self._keys.pop(trial)
        self._handed.pop(key, None)
        self._frontier.put_back(key)
        self._tell(("lost", key))

    def _now(self) -> Capacity:
        now = time.monotonic()
        if now - self._looked >= _LOOK_EVERY:
            self._capacity, self._looked = self._look(), now
        return self._capacity

    def _refuse_to_wait_for_workers(self) -> None:
        """A Ray that lost the part of it that starts processes goes on as if nothing had been."""
        if self._begin_within is None:
            return
        now = time.monotonic()
        for key, (since, times) in list(self._handed.items()):
            if now - since < self._begin_within or not self._frontier.place(key):
                continue
            task = self._frontier.task(key)
            if _begun(task) > times or Store(Path(task.store)).is_done(key):
                del self._handed[key]
            elif not lease.looks_alive(_lease(task)):
                raise Stuck(
                    f"no worker began with stage {task.label} within {self._begin_within:.0f} s"
                )

    def _refuse_to_wait_forever(self) -> None:
        waiting = self._frontier.running
        if any(self._frontier.place(key) for key in waiting):
            self._moved = time.monotonic()
        if not waiting or time.monotonic() - self._moved < self._patience:
            return
        task = self._frontier.task(min(waiting))
        most = max(self._capacity.machines(), key=lambda node: (node.gpus, node.cpus))
        raise ApolloError(
            f"stage {task.label}: needs {task.cpus:g} CPUs and {task.gpus:g} GPUs; the cluster's "
            f"largest machine has {most.cpus:g} and {most.gpus:g}, all together "
            f"{self._capacity.cpus:g} and {self._capacity.gpus:g}, and no other came within "
            f"{self._patience:.0f} s. All that fits is done. Lower the scale's `resources`, or run "
            "the same again on a larger cluster."
        )


def _lease(task: StageTask) -> lease.LeaseRecord | None:
    return lease.read_lease(Store(Path(task.store)).attempts_folder(task.key))


def _begun(task: StageTask) -> int:
    """How often a worker has begun with the stage, whoever's."""
    found = _lease(task)
    return found.epoch if found else 0


def _gave_up(task: StageTask, attempts: Path, loss: Loss) -> StageOutcome:
    attempt = len(failures.recorded(attempts)) + 1
    failure = failures.Failure(loss.failure_class or INFRA, loss.message, attempt, time.time())
    failure = failures.given_up(failure)
    failures.record(attempts, failure)
    return StageOutcome(task.key, "failed", failure.failure_class, failure.message)
