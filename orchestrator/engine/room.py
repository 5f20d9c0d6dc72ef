"""What is free on which machine, and where a stage fits: pure.

Devices are counted one by one, since half a GPU on each of two is no GPU. A fraction goes to the
fullest device that still has room for it, which is what Ray does, so that both keep the same
books. A stage whose memory is known never holds less of a device than its share of the memory:
whatever shares a device then fits into it together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.engine.task import StageTask

# Sums of fractions come out short of 1 by rounding.
_NEARLY = 1e-6


@dataclass(frozen=True)
class Node:
    """A machine.

    Attributes:
        name: what the engine calls it.
        cpus, gpus: what it has in all.
        gpu_bytes: memory of each of its GPUs; 0 = not known.
    """

    name: str
    cpus: float
    gpus: float = 0.0
    gpu_bytes: float = 0.0


@dataclass(frozen=True)
class Capacity:
    """What an engine can hand out in all.

    Attributes:
        cpus, gpus: the sums.
        nodes: the machines; empty = one that has it all.
    """

    cpus: float
    gpus: float = 0.0
    nodes: tuple[Node, ...] = ()

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Capacity:
        """That of these machines together."""
        found = tuple(nodes)
        return cls(sum(node.cpus for node in found), sum(node.gpus for node in found), found)

    def machines(self) -> tuple[Node, ...]:
        """The machines, at least one."""
        return self.nodes or (Node("", self.cpus, self.gpus),)


@dataclass(frozen=True)
class Share:
    """What a stage holds on one machine: `count` bundles of these CPUs and of this much of a GPU.

    A fraction of a GPU, and a whole one, is one device; a stage holds as many devices as bundles.
    """

    node: str
    count: int
    cpus: float
    gpu: float


class Room:
    """Free CPUs and devices of a cluster that may grow and shrink."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._cpus: dict[str, float] = {}
        self._devices: dict[str, list[float]] = {}
        self._held: dict[str, list[tuple[Share, list[int]]]] = {}

    def update(self, nodes: Iterable[Node]) -> None:
        """Take note of the machines that there are now."""
        found = {node.name: node for node in nodes}
        for name in [name for name, node in self._nodes.items() if found.get(name) != node]:
            self._forget(name)
        for name, node in found.items():
            if name not in self._nodes:
                self._nodes[name] = node
                self._cpus[name] = node.cpus
                self._devices[name] = [1.0] * int(node.gpus + _NEARLY)

    def copy(self) -> Room:
        """The same, to try something out."""
        other = Room()
        other._nodes = dict(self._nodes)
        other._cpus = dict(self._cpus)
        other._devices = {name: list(free) for name, free in self._devices.items()}
        other._held = {key: list(held) for key, held in self._held.items()}
        return other

    def fit(self, task: StageTask) -> tuple[Share, ...] | None:
        """Where the stage fits now, best first: the fullest machine that has room for all of it.

        A stage larger than every machine is spread over as few as can be.
        """
        whole = [
            share
            for node in self._by_freedom()
            if self._free(share := _share(task, node, _bundles(task))) >= share.count
        ]
        if whole:
            return (whole[0],)
        if self._on_one_machine(task):
            return None
        return self._spread(task)

    def could_hold(self, task: StageTask) -> bool:
        """Whether the stage fits when nothing else runs."""
        empty = Room()
        empty.update(self._nodes.values())
        return empty.fit(task) is not None

    def take(self, key: str, shares: Iterable[Share]) -> None:
        """Hold what a stage needs, until `release`."""
        held = self._held.setdefault(key, [])
        for share in shares:
            if share.node in self._nodes:
                held.append((share, self._take_devices(share)))
                self._cpus[share.node] -= share.cpus * share.count

    def release(self, key: str) -> None:
        """Give back what a stage held."""
        for share, devices in self._held.pop(key, []):
            self._cpus[share.node] += share.cpus * share.count
            for device in devices:
                self._devices[share.node][device] += share.gpu

    def reserve(self, task: StageTask) -> bool:
        """Keep for a stage that does not fit now what it waits for; whether there was any of it.

        On the machine that has most of it free already: that one's free part only grows while it
        is kept, so the stage comes to its turn.
        """
        left = _bundles(task)
        on_one = self._on_one_machine(task)
        kept = False
        for node in reversed(self._by_freedom()):
            share = _share(task, node, left)
            most = min(left, _most(node, share))
            if on_one and most < left:
                continue
            kept |= self._keep(node, share, most)
            left -= most
            if not left:
                break
        return kept

    def _by_freedom(self) -> list[Node]:
        """The fullest first; machines without GPUs before those with."""
        return sorted(
            self._nodes.values(),
            key=lambda node: (sum(self._devices[node.name]), self._cpus[node.name], node.name),
        )

    def _free(self, share: Share) -> int:
        """How many of the share's bundles the machine has room for now."""
        by_cpus = _times(self._cpus[share.node], share.cpus)
        if not share.gpu:
            return by_cpus
        by_gpus = sum(_times(free, share.gpu) for free in self._devices[share.node])
        return min(by_cpus, by_gpus)

    def _on_one_machine(self, task: StageTask) -> bool:
        count = _bundles(task)
        return any(_most(node, _share(task, node, count)) >= count for node in self._nodes.values())

    def _spread(self, task: StageTask) -> tuple[Share, ...] | None:
        left = _bundles(task)
        shares: list[Share] = []
        for node in reversed(self._by_freedom()):
            share = _share(task, node, left)
            count = min(left, self._free(share))
            if count:
                shares.append(Share(node.name, count, share.cpus, share.gpu))
                left -= count
        return None if left else tuple(shares)

    def _take_devices(self, share: Share) -> list[int]:
        free = self._devices[share.node]
        taken: list[int] = []
        for _ in range(share.count if share.gpu else 0):
            fitting = [n for n, left in enumerate(free) if left + _NEARLY >= share.gpu]
            # Books that are not quite Ray's are mended by what ends next.
            best = min(fitting or range(len(free)), key=lambda n: free[n])
            free[best] -= share.gpu
            taken.append(best)
        return taken

    def _keep(self, node: Node, share: Share, count: int) -> bool:
        """Count as held what of these bundles is free; False if nothing was."""
        free = self._devices[node.name]
        freest = sorted(range(len(free)), key=lambda n: -free[n])[: count if share.gpu else 0]
        kept = any(free[device] > _NEARLY for device in freest)
        for device in freest:
            free[device] = max(0.0, free[device] - share.gpu)
        kept |= self._cpus[node.name] > _NEARLY
        self._cpus[node.name] = max(0.0, self._cpus[node.name] - share.cpus * count)
        return kept

    def _forget(self, name: str) -> None:
        for held in (self._nodes, self._cpus, self._devices):
            held.pop(name)
        self._held = {
            key: [each for each in held if each[0].node != name] for key, held in self._held.items()
        }


def _bundles(task: StageTask) -> int:
    """One a device."""
    return max(1, math.ceil(task.gpus))


def _share(task: StageTask, node: Node, count: int) -> Share:
    bundles = _bundles(task)
    gpu = task.gpus / bundles
    if gpu and task.memory and node.gpu_bytes:
        # What is said to be larger than a device is given one whole, and shows whether it is.
        gpu = min(1.0, max(gpu, task.memory / node.gpu_bytes))
    return Share(node.name, count, task.cpus / bundles, gpu)


def _most(node: Node, share: Share) -> int:
    """How many of the share's bundles the empty machine has room for."""
    by_cpus = _times(node.cpus, share.cpus)
    if not share.gpu:
        return by_cpus
    return min(by_cpus, int(node.gpus + _NEARLY) * _times(1.0, share.gpu))


def _times(free: float, needed: float) -> int:
    return int((free + _NEARLY) / needed)
