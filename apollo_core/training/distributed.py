"""What the processes of one stage tell each other, as one of them sees it.

The processes are *ranks*, numbered from 0. Each holds the model, takes its part of every step's
samples, and all take the same step. Plain values go over gloo, tensors over the device's own
backend: gloo on a CPU, NCCL on a GPU. Every method is a collective one: all ranks call it, in the
same order. A rank that fails stops calling; whoever started the ranks then ends the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import zip_longest
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch import distributed as dist
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.tensor import DTensor, distribute_tensor

from apollo_core.stages.seat import Seat

T = TypeVar("T")

# A rank that died is noticed by who started it, so this only has to outlast what others wait for:
# the first rank that writes a checkpoint of a large model.
_PATIENCE = timedelta(hours=2)


class Peers:
    """The ranks of one stage; of a stage that runs in one process there is nobody to tell.

    Attributes:
        rank: of this process.
        size: how many there are.
        device: where this rank's model is.
    """

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | None = None) -> None:
        self.rank = rank
        self.size = size
        self.device = device or torch.device("cpu")

    @property
    def is_first(self) -> bool:
        """Whether this rank reports and writes."""
        return self.rank == 0

    def sums(self, *values: float) -> list[float]:
        """Each value, summed over the ranks, in double precision."""
        if self.size == 1:
            return list(values)
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return total.tolist()

    def any(self, mine: bool) -> bool:  # noqa: FBT001 - it is a value, not a switch
        """Whether it is so for one of the ranks."""
        return bool(self.sums(float(mine))[0])

    def first_says(self, value: T) -> T:
        """What the first rank gave."""
        if self.size == 1:
            return value
        told: list[Any] = [value]
        dist.broadcast_object_list(told, src=0)
        return told[0]

    def gathered(self, value: T) -> list[T]:
        """What each rank gave, in their order."""
        if self.size == 1:
            return [value]
        told: list[Any] = [None] * self.size
        dist.all_gather_object(told, value)
        return cast(list[T], told)

    def whole(self, tensor: Tensor) -> Tensor | None:
        """A tensor on the CPU of the first rank, put together where it is sharded; else None."""
        if self.size == 1:
            return tensor.detach()
        if isinstance(tensor, DTensor):
            tensor = cast(DTensor, tensor.detach()).full_tensor()
        return tensor.detach().cpu() if self.is_first else None

    def spread(self, whole: Tensor | None, into: Tensor) -> None:
        """Overwrite `into` on every rank by what the first has, or by each rank's shard of it."""
        if self.size == 1:
            assert whole is not None
            into.copy_(whole)
            return
        buffer = torch.empty(into.shape, dtype=into.dtype, device=into.device)
        if whole is not None:
            buffer.copy_(whole)
        if isinstance(into, DTensor):
            into.copy_(distribute_tensor(buffer, into.device_mesh, into.placements))
        else:
            dist.broadcast(buffer, src=0)
            into.copy_(buffer)


NOBODY_ELSE = Peers()


def in_turns(lists: Iterable[Sequence[T]]) -> list[T]:
    """The first of each list, then the second of each: what was dealt out, in its order."""
    missing = object()
    turns = zip_longest(*lists, fillvalue=missing)
    return [cast(T, each) for turn in turns for each in turn if each is not missing]


@contextmanager
def joined(seat: Seat, device: torch.device) -> Iterator[Peers]:
    """Be connected to the other ranks of a stage meanwhile.

    Args:
        seat: this process's; its `meeting` is a file that does not exist yet.
        device: of this rank's model.
    """
    if seat.size == 1:
        yield Peers(device=device)
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(
        backend,
        # Through a file and not a server: no port is open to others, and none has to be chosen.
        store=FileStore(str(seat.meeting), seat.size),
        rank=seat.rank,
        world_size=seat.size,
        timeout=_PATIENCE,
    )
    # Left as it is after an error: to leave in order could mean to wait for ranks that wait for us,
    # and they would take an order for a failure of their own. The process is ended.
    yield Peers(seat.rank, seat.size, device)
    dist.destroy_process_group()
