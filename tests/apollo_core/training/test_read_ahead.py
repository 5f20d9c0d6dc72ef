"""Reading ahead changes when, never what."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import closing

import pytest

from apollo_core.training.read_ahead import read_ahead


def test_items_come_in_order_and_only_so_many_are_made_ahead():
    made: list[int] = []

    def source() -> Generator[int, None, None]:
        for item in range(10):
            made.append(item)
            yield item

    with closing(read_ahead(source(), 2)) as items:
        assert next(items) == 0
        time.sleep(0.05)
        # One taken, two waiting, one that waits to be put.
        assert made == [0, 1, 2, 3]
        assert list(items) == list(range(1, 10))


def test_an_error_comes_where_its_item_would_have():
    def source() -> Generator[int, None, None]:
        yield 1
        raise KeyError("late")

    items = read_ahead(source(), 3)
    assert next(items) == 1
    with pytest.raises(KeyError, match="late"):
        next(items)


def test_closing_early_closes_the_source_and_ends_the_thread():
    closed = threading.Event()

    def source() -> Generator[int, None, None]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    items = read_ahead(read_ahead(source(), 1), 1)
    next(items)
    items.close()
    assert closed.is_set()
    assert "reading ahead" not in {thread.name for thread in threading.enumerate()}
