"""The ranks of a stage as actors in the trial's own placement group, one in each bundle.

The trial itself holds nothing: its head bundle is empty. When it goes, Ray ends its actors.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

import psutil

from apollo_core.stages.context import Event
from orchestrator.engine.gang import Gone, Job, Message, RankFailed, Told, run_job
from orchestrator.engine.ray.loss import Loss, loss_of
from orchestrator.store import lease
from orchestrator.store.cause_of_death import KilledForMemory
from orchestrator.store.retries import INFRA

_INTERFACE_ADDRESS = 0x8915  # SIOCGIFADDR, linux/sockios.h
# Their places are held already; a process starts in seconds, on a loaded machine in a minute.
_START_WITHIN = 240.0
# A killed process is gone at once, but for what its GPU's driver does to give memory back.
_GONE_WITHIN = 5.0


@dataclass(frozen=True)
class Place:
    """Where a rank runs: an address of its machine, the machine itself, and its process there."""

    address: str
    machine: str
    pid: int


class Rank:
    """One rank, in a process of its own. Its methods answer one at a time.

    The stage runs in a thread, so that they can answer meanwhile.
    """

    def __init__(self) -> None:
        self._told: SimpleQueue[Message] = SimpleQueue()
        self._heard: SimpleQueue[None] = SimpleQueue()
        self._waits = False

    def place(self) -> Place:
        """Where this rank runs."""
        import ray

        return Place(ray.util.get_node_ip_address(), lease.machine(), os.getpid())

    def start(self, job: Job, *, address: str) -> None:
        """Begin; ranks talk to each other over the network interface of this address."""
        # By a host's name gloo finds its loopback, on many a machine.
        os.environ["GLOO_SOCKET_IFNAME"] = _interface_of(address)
        threading.Thread(target=self._run, args=(job,), name="stage", daemon=True).start()

    def next(self) -> Message:
        """The next message; if the last was a report, the stage goes on first."""
        if self._waits:
            self._heard.put(None)
        message = self._told.get()
        self._waits = isinstance(message, Told)
        return message

    def _run(self, job: Job) -> None:
        self._told.put(run_job(job, self._report))

    def _report(self, event: Event) -> None:
        self._told.put(Told(event))
        self._heard.get()


class RayGang:
    """Actors in the bundles of the placement group that this process is in.

    Args:
        size: how many; there are as many bundles.
        cpus, gpus: what each holds.
    """

    def __init__(self, size: int, *, cpus: float, gpus: float) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = ray.util.get_current_placement_group()
        assert group is not None
        self.size = size
        actor: Any = ray.remote(Rank)
        self._ranks: list[Any] = [
            actor.options(
                num_cpus=cpus,
                num_gpus=gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(group, bundle),
            ).remote()
            for bundle in range(size)
        ]
        self._places: list[Place] = []
        self._killed = KilledForMemory()
        self._coming: dict[Any, int] = {}
        self._waits: int | None = None
        self.is_alive = True

    def start(self, jobs: Sequence[Job]) -> None:
        """Give each rank its part."""
        if not self._places:
            self._places = self._gather()
        self._killed = KilledForMemory()
        alone = len({place.address for place in self._places}) == 1
        for rank, job, place in zip(self._ranks, jobs, self._places, strict=True):
            rank.start.remote(job, address="127.0.0.1" if alone else place.address)
        self._waits = None
        self._coming = {each.next.remote(): rank for rank, each in enumerate(self._ranks)}

    def _gather(self) -> list[Place]:
        """Where each rank runs, once all have started."""
        import ray
        from ray.exceptions import GetTimeoutError, RayActorError

        asked = [rank.place.remote() for rank in self._ranks]
        try:
            return ray.get(asked, timeout=_START_WITHIN)
        except GetTimeoutError:
            # A machine whose Ray lost the part that starts processes, for one: it says nothing.
            message = f"the processes of the stage did not start within {_START_WITHIN:.0f} s"
            raise RankFailed(0, self.size, INFRA, message) from None
        except RayActorError as error:
            loss = loss_of(error)
            kind = loss.failure_class or INFRA
            raise RankFailed(0, self.size, kind, loss.message) from None

    def next(self, timeout: float | None) -> tuple[int, Message] | None:
        """See `Gang.next`."""
        import ray
        from ray.exceptions import RayActorError

        if self._waits is not None:
            self._coming[self._ranks[self._waits].next.remote()] = self._waits
            self._waits = None
        ready, _ = ray.wait(list(self._coming), num_returns=1, timeout=timeout)
        if not ready:
            return None
        rank = self._coming.pop(ready[0])
        try:
            message: Message = ray.get(ready[0])
        except RayActorError as error:
            return rank, self._gone(rank, loss_of(error))
        if isinstance(message, Told):
            self._waits = rank
        return rank, message

    def _gone(self, rank: int, loss: Loss) -> Gone:
        gone = Gone(loss.message, loss.failure_class or INFRA)
        # Of another machine's kernel nothing is known here.
        is_here = self._places[rank].machine == lease.machine()
        return gone.or_memory(self._killed) if is_here and not loss.failure_class else gone

    def stop(self) -> None:
        """Kill every actor, and wait until those of this machine are gone and their memory free.

        To look on another machine takes a process there, whose start is longer than an end.
        """
        import ray

        self.is_alive = False
        places = self._places or [None] * self.size
        here: list[int] = []
        for rank, place in zip(self._ranks, places, strict=True):
            if place is not None and place.machine == lease.machine():
                here.append(place.pid)
                _kill(place.pid)
            else:
                ray.kill(rank)
        until = time.monotonic() + _GONE_WITHIN
        while any(map(psutil.pid_exists, here)) and time.monotonic() < until:
            time.sleep(0.02)


def _kill(pid: int) -> None:
    """End an actor of this machine without Ray, which answers nothing once it lost its head."""
    with contextlib.suppress(psutil.Error):  # it has ended already
        process = psutil.Process(pid)
        if process.name().startswith("ray::"):  # and nobody else got its number
            process.kill()


def _interface_of(address: str) -> str:
    """The name of this machine's network interface that has an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for _, name in socket.if_nameindex():
            wanted = struct.pack("256s", name.encode())
            try:
                found = fcntl.ioctl(asked.fileno(), _INTERFACE_ADDRESS, wanted)
            except OSError:  # it has no address of this kind
                continue
            if socket.inet_ntoa(found[20:24]) == address:
                return name
    raise OSError(f"no network interface of this machine has the address {address}")
