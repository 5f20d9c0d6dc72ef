"""Pairs of designs that differ in one axis, and an interval that knows what they share."""

import numpy as np
import pytest
from scipy import stats

from analysis.findings.axes import shared_interval


def test_the_interval_of_matched_pairs_leaves_out_one_design_with_all_its_pairs():
    rng = np.random.default_rng(0)
    members = np.stack(np.triu_indices(6, k=1))
    agreement = rng.integers(0, 3, 15) / 2.0
    values = np.array([agreement[(members != one).all(axis=0)].mean() for one in range(6)])
    error = np.sqrt(5 / 6 * np.sum((values - np.mean(values)) ** 2))
    half = 2.5705818 * error  # t of 5 degrees of freedom
    expected = (max(0.0, agreement.mean() - half), min(1.0, agreement.mean() + half))
    assert shared_interval(agreement, members) == pytest.approx(expected)


def test_one_pair_has_no_interval_and_a_star_around_base_has_one():
    assert shared_interval(np.array([1.0]), np.array([[0], [1]])) is None
    star = np.array([[0, 0, 0], [1, 2, 3]])
    interval = shared_interval(np.array([1.0, 0.0, 1.0]), star)
    assert interval is not None
    assert 0.0 <= interval[0] < interval[1] <= 1.0


def test_pairs_that_all_agree_are_no_more_certain_than_pairs_without_a_shared_design():
    star = np.array([[0, 0, 0], [1, 2, 3]])
    exact = stats.binomtest(2, 2).proportion_ci()
    assert shared_interval(np.ones(3), star) == pytest.approx((exact.low, exact.high))
    low, high = shared_interval(np.zeros(3), star) or (1.0, 0.0)
    assert (low, high) == pytest.approx((0.0, 1 - exact.low))
