"""Proxies: dependent correlations, the paper's own trend, Kendall's W and what is enough."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.correlation_tests import (
    compare_correlations,
    dependent_z,
    detectable_gain,
    power,
)
from analysis.statistics.proxy_choice import concordance, size_trend, smallest_enough


def test_the_papers_trend_comes_out_of_three_points_and_one_degree_of_freedom():
    trend = size_trend(np.array([0.5, 1.5, 4.0]), np.array([0.694, 0.831, 0.938]))
    assert trend is not None
    assert (trend.slope, trend.intercept) == pytest.approx((0.12, 0.78), abs=0.005)
    assert trend.caution == "3 points, 1 degree of freedom"
    fit = stats.linregress(np.log([0.5, 1.5, 4.0]), [0.694, 0.831, 0.938])
    half = stats.t.ppf(0.975, 1) * fit.stderr  # pyright: ignore[reportAttributeAccessIssue]
    assert trend.slope_ci == pytest.approx((trend.slope - half, trend.slope + half))
    assert trend.slope_ci is not None
    assert trend.slope_ci[0] < 0.12 < trend.slope_ci[1]


def test_two_points_give_a_line_without_an_interval_and_one_gives_none():
    two = size_trend(np.array([1.0, np.e]), np.array([0.5, 0.7]))
    assert two is not None
    assert (two.slope, two.intercept) == pytest.approx((0.2, 0.5))
    assert (two.slope_ci, two.freedom) == (None, 0)
    assert size_trend(np.array([1.0]), np.array([0.5])) is None


def test_dependent_correlations_give_the_published_deviate():
    # The example that Meng, Rosenthal and Rubin (1992) work out, as it is commonly quoted (15
    # cases, Z = 1.68); the simulation below does not rest on it.
    assert dependent_z(0.63, -0.03, -0.19, 15) == pytest.approx(1.68, abs=0.005)
    assert dependent_z(-0.03, 0.63, -0.19, 15) == pytest.approx(-1.68, abs=0.005)


def test_equal_dependent_correlations_are_told_apart_once_in_twenty_times_and_power_is_right():
    rng = np.random.default_rng(0)

    def share(r1: float, r2: float, between: float, n: int) -> float:
        root = np.linalg.cholesky([[1, r1, r2], [r1, 1, between], [r2, between, 1]])
        hits = 0
        for _ in range(1500):
            r = np.atleast_2d(np.corrcoef(root @ rng.normal(size=(3, n))))
            z = dependent_z(r[0, 1], r[0, 2], r[1, 2], n)
            assert z is not None
            hits += abs(z) > 1.959964
        return hits / 1500

    assert 0.035 < share(0.8, 0.8, 0.7, 21) < 0.07
    expected = power(0.9, 0.7, 0.75, 21)
    assert share(0.9, 0.7, 0.75, 21) == pytest.approx(expected, abs=0.06)


def test_the_detectable_gain_has_a_power_of_four_fifths():
    gain = detectable_gain(0.95, 0.9, 21)
    assert gain is not None
    assert power(0.95, np.sqrt(0.95**2 - gain), 0.9, 21) == pytest.approx(0.8)
    assert detectable_gain(0.95, 0.9, 4) is None
    more = detectable_gain(0.95, 0.9, 84)
    assert more is not None
    assert more < gain


def test_a_comparison_without_a_deviate_has_none():
    found = compare_correlations(1.0, 1.0, 1.0, 21, names=("s", "m"))
    assert (found.z, found.p, found.power, found.detectable_gain) == (None, None, None, None)
    assert compare_correlations(0.2, 0.1, 0.5, 21, names=("s", "m")).power is None


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(2, 4), st.integers(0, 10**6))
def test_kendalls_w_is_the_mean_rank_correlation_rescaled(n: int, m: int, seed: int):
    scores = np.random.default_rng(seed).permuted(np.tile(np.arange(float(n)), (m, 1)), axis=1).T
    found = concordance(scores)
    assert found is not None
    rhos = [
        np.corrcoef(stats.rankdata(scores[:, i]), stats.rankdata(scores[:, j]))[0, 1]
        for i, j in combinations(range(m), 2)
    ]
    assert found.w == pytest.approx(((m - 1) * np.mean(rhos) + 1) / m)
    if m > 2 and n > 2:
        friedman = stats.friedmanchisquare(*scores) if n > 2 else None
        assert friedman is None or found.chi2 == pytest.approx(friedman.statistic)


def test_kendalls_w_with_ties_is_friedmans_statistic_rescaled():
    scores = np.random.default_rng(1).integers(0, 4, (9, 4)).astype(float)
    found = concordance(scores)
    assert found is not None
    expected = stats.friedmanchisquare(*scores)
    assert found.chi2 == pytest.approx(expected.statistic)
    assert found.p == pytest.approx(expected.pvalue)
    assert concordance(np.ones((3, 2))) is None
    assert concordance(np.ones((1, 2))) is None


def test_the_cheapest_proxy_that_is_surely_good_enough_is_enough():
    found = smallest_enough(
        ["4b", "1b", "half", "2b"], [4.0, 1.0, 0.5, 2.0], [0.9, 0.8, None, 0.7],
        criterion="r2", target=0.75,
    )  # fmt: skip
    assert (found.proxy, found.skipped) == ("1b", ("2b",))
    assert list(found.bounds) == ["half", "1b", "2b", "4b"]
    none = smallest_enough(["a"], [1.0], [0.1], criterion="r2", target=0.5)
    assert (none.proxy, none.skipped) == (None, ())
