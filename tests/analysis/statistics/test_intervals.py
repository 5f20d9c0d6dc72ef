"""Intervals against scipy's, and by what they must do where they end."""

import numpy as np
import pytest
from scipy import stats

from analysis.statistics import intervals as v
from analysis.statistics.consistency import pearson


def test_fishers_interval_is_scipys():
    rng = np.random.default_rng(2)
    small, large = rng.normal(size=(2, 21))
    reference = stats.pearsonr(small, large)
    low, high = reference.confidence_interval()
    assert v.fisher_interval(float(np.asarray(reference)[0]), 21) == pytest.approx((low, high))


def test_an_interval_of_r_that_spans_zero_gives_an_r2_interval_from_zero():
    assert v.square_interval((-0.6, 0.2)) == pytest.approx((0.0, 0.36))
    assert v.square_interval((0.2, 0.6)) == pytest.approx((0.04, 0.36))
    assert v.square_interval((-0.6, -0.2)) == pytest.approx((0.04, 0.36))


def test_bca_is_scipys_on_the_same_resamples():
    rng = np.random.default_rng(5)
    small = rng.normal(size=21)
    large = small + 0.5 * rng.normal(size=21)

    def r(x: np.ndarray, y: np.ndarray) -> float:
        return float(np.corrcoef(x, y)[0, 1])

    with np.errstate(invalid="ignore"):
        reference = stats.bootstrap(
            (small, large), r, paired=True, vectorized=False, n_resamples=999, rng=rng
        )
    left_out = [r(np.delete(small, i), np.delete(large, i)) for i in range(21)]
    draws = reference.bootstrap_distribution
    interval = v.bca_interval(r(small, large), draws, np.array(left_out))
    assert interval == pytest.approx(tuple(reference.confidence_interval))
    wide = v.bca_interval(r(small, large), draws, np.array(left_out), widened=True)
    assert interval is not None
    assert wide is not None
    assert wide[0] < interval[0] < interval[1] <= wide[1]


def test_draws_on_one_side_of_the_estimate_have_no_bca_interval():
    assert v.bca_interval(1.0, np.linspace(0, 0.9, 50), np.arange(9.0)) is None
    assert v.bca_interval(1.0, np.full(9, np.nan), np.arange(9.0)) is None


def test_undefined_draws_are_left_out_of_percentiles():
    draws = np.array([np.nan, *np.linspace(0, 100, 101)])
    assert v.percentile_interval(draws) == pytest.approx((2.5, 97.5))
    assert v.percentile_interval(np.array([np.nan])) is None


def test_the_jackknife_error_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(6).normal(size=30)
    without = np.array([np.delete(values, i).mean() for i in range(30)])
    error = v.jackknife_error(without)
    assert error == pytest.approx(values.std(ddof=1) / np.sqrt(30))
    low, high = v.jackknife_interval(values.mean(), without, low=-1.0, high=1.0)
    reference = stats.t.interval(0.95, 29, loc=values.mean(), scale=error)
    assert (low, high) == pytest.approx(reference)
    assert v.jackknife_interval(0.5, np.array([0.5]), low=0.0, high=1.0) == (0.0, 1.0)


def test_the_r2_interval_covers_the_papers_r2_as_often_as_it_says():
    rng, rho, n, trials = np.random.default_rng(3), np.sqrt(0.938), 21, 4000
    common, own = rng.normal(size=(2, trials, n))
    other = rho * common + np.sqrt(1 - rho**2) * own
    covered = 0
    for small, large in zip(common, other, strict=True):
        r = pearson(small, large)
        interval = None if r is None else v.fisher_interval(r, n)
        assert interval is not None
        low, high = v.square_interval(interval)
        covered += low <= 0.938 <= high
    assert 0.92 <= covered / trials <= 0.97
