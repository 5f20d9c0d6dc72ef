"""What a stage reads media with: decoders of its own, decoded frames that outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from apollo_core.design import Integration, MemoryBank, Sampling
from apollo_core.execution import Execution
from apollo_core.media.decoding import Decoder
from apollo_core.media.frame_cache import FrameCache
from apollo_core.media.reader import MediaReader
from apollo_core.stages.context import StageContext

_CACHES: dict[int, FrameCache] = {}


@contextmanager
def media_readers(
    context: StageContext,
    sampling: Sampling,
    integration: Integration,
    *,
    size: int,
    memory: MemoryBank | None = None,
) -> Iterator[list[MediaReader]]:
    """`execution.workers` readers (at least one), each with a decoder that ends with the block."""
    execution = context.execution
    cache = frame_cache(execution)
    with ExitStack() as stack:
        decoders = [
            stack.enter_context(Decoder(deadline_s=execution.decode_deadline_s, cache=cache))
            for _ in range(max(1, execution.workers))
        ]
        yield [
            MediaReader(decoder, context.media_root, sampling, integration, size, memory)
            for decoder in decoders
        ]


def frame_cache(execution: Execution) -> FrameCache | None:
    """This process's cache of the size that `execution` allows, or None where that is 0.

    One for the process and not for the stage: variants look at the same videos, and a worker that
    goes on to the next variant would otherwise decode all of them again.
    """
    if not execution.frame_cache_mb:
        return None
    size = execution.frame_cache_mb * 2**20
    return _CACHES.setdefault(size, FrameCache(size))
