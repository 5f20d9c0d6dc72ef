"""A pool's results in the order of what was asked, with a bounded number held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
S = TypeVar("S")


def in_order(
    pool: ThreadPoolExecutor, function: Callable[[S], T], items: Iterable[S], *, most: int
) -> Iterator[T]:
    """`pool.map` that holds no more than `most` results: a million futures are a gigabyte."""
    coming = iter(items)
    running: deque[Future[T]] = deque(pool.submit(function, item) for item in islice(coming, most))
    try:
        while running:
            done = running.popleft().result()
            running.extend(pool.submit(function, item) for item in islice(coming, 1))
            yield done
    finally:
        for future in running:
            future.cancel()
