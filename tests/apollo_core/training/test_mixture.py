"""Shares of data sets, drawn once for a stage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apollo_core.errors import BadData
from apollo_core.training.mixture import apportion, draw

weights = st.lists(st.floats(0, 100), min_size=1, max_size=5).filter(lambda w: sum(w) > 1e-3)
sizes_of = st.lists(st.integers(1, 40), min_size=5, max_size=5)


@given(shares=weights, samples=st.integers(0, 500))
def test_counts_sum_to_the_samples_and_are_off_by_less_than_one(shares, samples):
    counts = apportion(shares, samples)
    assert sum(counts) == samples
    for share, count in zip(shares, counts, strict=True):
        assert abs(count - share / sum(shares) * samples) < 1 + 1e-6


@pytest.mark.parametrize(
    ("shares", "samples", "expected"),
    [
        # 10 seats: 4.7, 1.6, 1.5, 1.2, 1.0 leave two, which go to the remainders .7 and .6
        ([47, 16, 15, 12, 10], 10, [5, 2, 1, 1, 1]),
        ([14.4, 33.0, 16.6, 36.0], 750_000, [108_000, 247_500, 124_500, 270_000]),
        ([50, 50], 3, [2, 1]),
        ([0, 100], 7, [0, 7]),
    ],
)
def test_what_is_left_over_goes_to_the_largest_remainders(shares, samples, expected):
    assert apportion(shares, samples) == expected


@given(shares=weights, sizes=sizes_of, samples=st.integers(1, 200), seed=st.integers(0, 2**31))
def test_every_row_of_a_share_is_seen_equally_often_up_to_one(shares, sizes, samples, seed):
    drawn = draw(shares, sizes[: len(shares)], samples=samples, seed=seed)
    counts = apportion(shares, samples)
    assert np.bincount(drawn.share, minlength=len(shares)).tolist() == counts
    for index, size in enumerate(sizes[: len(shares)]):
        rows = drawn.row[drawn.share == index]
        assert ((rows >= 0) & (rows < size)).all()
        seen = np.bincount(rows, minlength=size)
        assert seen.max() - seen.min() <= 1


@given(seed=st.integers(0, 2**31))
def test_the_order_is_a_function_of_the_seed(seed):
    first, again, other = (
        draw([30, 70], [50, 80], samples=120, seed=s) for s in (seed, seed, seed + 1)
    )
    assert (first.share == again.share).all()
    assert (first.row == again.row).all()
    assert (first.row != other.row).any()


def test_one_share_of_another_size_leaves_the_rows_of_the_others_as_they_were():
    small, large = (draw([50, 50], [10, size], samples=60, seed=3) for size in (7, 31))
    assert (small.share == large.share).all()
    own = small.share == 0
    assert (small.row[own] == large.row[own]).all()


@given(shares=weights, sizes=sizes_of, samples=st.integers(1, 200), seed=st.integers(0, 2**31))
def test_data_that_run_out_may_end_the_order_before_anything_is_repeated(
    shares, sizes, samples, seed
):
    sizes = sizes[: len(shares)]
    whole = draw(shares, sizes, samples=samples, seed=seed)
    cut = draw(shares, sizes, samples=samples, seed=seed, exhausted="end")
    assert cut.share.tolist() == whole.share[: len(cut)].tolist()
    assert cut.row.tolist() == whole.row[: len(cut)].tolist()
    seen = list(zip(cut.share.tolist(), cut.row.tolist(), strict=True))
    assert len(set(seen)) == len(seen)
    if len(cut) < samples:  # the very next one would be a repetition
        assert (int(whole.share[len(cut)]), int(whole.row[len(cut)])) in seen


def test_a_share_is_met_in_expectation_wherever_one_looks():
    """The mean over seeds of each share among the first samples, against what was asked."""
    asked, first = np.array([50.0, 30, 15, 5]), 16
    found = np.zeros(4)
    for seed in range(400):
        drawn = draw(list(asked), [9, 9, 9, 9], samples=200, seed=seed)
        found += np.bincount(drawn.share[:first], minlength=4)
    expected = asked / 100 * first * 400
    deviations = np.sqrt(expected * (1 - asked / 100))
    assert (np.abs(found - expected) < 4 * deviations).all()


def test_drawing_does_not_touch_the_global_generators():
    np.random.seed(1)
    expected = np.random.random()
    np.random.seed(1)
    draw([1.0], [5], samples=20, seed=0)
    assert np.random.random() == expected


def test_a_share_above_0_without_samples_is_refused():
    with pytest.raises(BadData, match="share 1 of the mixture"):
        draw([50, 50], [10, 0], samples=10, seed=0)
    draw([100, 0], [10, 0], samples=10, seed=0)


def test_a_shares_rows_come_in_the_same_order_whatever_stands_beside_it():
    beside = draw([20, 80], [30, 40], samples=50, seed=3, names=["text", "video"])
    alone = draw([100], [40], samples=50, seed=3, names=["video"])
    rows = beside.row[beside.share == 1]
    assert rows.tolist() == alone.row[: len(rows)].tolist()
