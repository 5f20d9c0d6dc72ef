"""The decoded frames that a warm worker keeps from one stage to the next."""

from __future__ import annotations

from apollo_core.execution import Execution
from apollo_core.frame_cache import FrameCache

_CACHES: dict[int, FrameCache] = {}


def frame_cache(execution: Execution) -> FrameCache | None:
    """This process's cache of the size that `execution` allows, or None where that is 0.

    One for the process and not for the stage: variants look at the same videos, and a worker that
    goes on to the next variant would otherwise decode all of them again.
    """
    if not execution.frame_cache_mb:
        return None
    size = execution.frame_cache_mb * 2**20
    return _CACHES.setdefault(size, FrameCache(size))
