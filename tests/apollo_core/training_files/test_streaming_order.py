from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from apollo_core.training.mixture import draw
from apollo_core.training_files.streaming_order import streaming_order


def blocks_of(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=30), st.integers(0, 9), st.integers(1, 9))
def test_every_row_comes_once(sizes, seed, together):
    blocks = blocks_of(sizes)
    order = streaming_order(blocks, np.random.default_rng(seed), together=together, window=16)
    assert sorted(order.tolist()) == list(range(len(blocks)))


def test_few_shards_are_read_at_a_time_each_forward_but_for_a_window():
    blocks = blocks_of([500] * 100)
    order = streaming_order(blocks, np.random.default_rng(0), together=8, window=200)
    for begin in range(0, len(order), 200):
        assert len(set(blocks[order[begin : begin + 200]].tolist())) <= 2 * 8
    for block in range(100):
        places = np.flatnonzero(blocks[order] == block)
        rows = order[places]
        # What comes a window earlier lies earlier in the shard.
        windows = places // 200
        highest = [rows[windows == each].max() for each in np.unique(windows)]
        lowest = [rows[windows == each].min() for each in np.unique(windows)]
        assert all(one < other for one, other in zip(highest, lowest[1:], strict=False))


def test_one_shard_is_shuffled_like_any_other_data():
    order = streaming_order(blocks_of([1000]), np.random.default_rng(0))
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1


def test_the_order_is_the_seeds_and_each_time_through_is_another():
    def rows(seed: int) -> list[int]:
        drawn = draw([100.0], [60], samples=120, seed=seed, blocks=[blocks_of([20] * 3)])
        return drawn.row.tolist()

    assert rows(0) == rows(0) != rows(1)
    assert sorted(rows(0)[:60]) == sorted(rows(0)[60:]) == list(range(60))
    assert rows(0)[:60] != rows(0)[60:]
