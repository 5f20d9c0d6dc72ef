"""Statistics against scipy, against hand counts, by property and by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis import consistency as c

# Halves on a small range: many ties, and affine maps of them stay exact in floating point.
TIED = st.integers(-20, 20).map(lambda value: value / 2)


@st.composite
def two_scales(draw: st.DrawFn) -> tuple[c.Scores, c.Scores]:
    n = draw(st.integers(2, 12))
    columns = [draw(st.lists(TIED, min_size=n, max_size=n)) for _ in range(2)]
    return np.array(columns[0]), np.array(columns[1])


Statistic = Callable[[c.Scores, c.Scores], float | None]
STATISTICS: tuple[Statistic, ...] = (c.pearson, c.spearman, c.kendall, c.decision_accuracy)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_correlations_equal_scipys_wherever_they_are_defined(scales: tuple[c.Scores, c.Scores]):
    small, large = scales
    if c.is_constant(small) or c.is_constant(large):
        assert c.pearson(small, large) is c.spearman(small, large) is None
        assert c.kendall(small, large) is None
        return
    assert c.pearson(small, large) == pytest.approx(stats.pearsonr(small, large)[0])
    assert c.spearman(small, large) == pytest.approx(stats.spearmanr(small, large)[0])
    assert c.kendall(small, large) == pytest.approx(stats.kendalltau(small, large)[0])


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), gain=st.sampled_from([0.25, 3.0, 100.0]), shift=TIED)
def test_agreement_does_not_depend_on_either_scales_units(
    scales: tuple[c.Scores, c.Scores], gain: float, shift: float
):
    small, large = scales
    for statistic in STATISTICS:
        plain = statistic(small, large)
        assert statistic(gain * small + shift, large) == pytest.approx(plain)
        assert statistic(small, gain * large + shift) == pytest.approx(plain)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 99))
def test_the_order_of_designs_is_irrelevant_and_the_scales_are_interchangeable(
    scales: tuple[c.Scores, c.Scores], seed: int
):
    small, large = scales
    order = np.random.default_rng(seed).permutation(small.size)
    for statistic in (*STATISTICS, c.regret):
        assert statistic(small[order], large[order]) == pytest.approx(statistic(small, large))
    for statistic in STATISTICS:
        assert statistic(large, small) == pytest.approx(statistic(small, large))


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_decision_accuracy_equals_a_slow_count_over_pairs(scales: tuple[c.Scores, c.Scores]):
    small, large = scales
    votes = [
        0.5
        if small[i] == small[j] or large[i] == large[j]
        else float((small[i] < small[j]) == (large[i] < large[j]))
        for i in range(small.size)
        for j in range(i)
    ]
    assert c.decision_accuracy(small, large) == pytest.approx(np.mean(votes))


def test_without_ties_decision_accuracy_is_kendalls_tau_moved_to_0_1():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(2, 15))
    tau = np.asarray(stats.kendalltau(small, large))[0]
    assert c.decision_accuracy(small, large) == pytest.approx((tau + 1) / 2)


def test_two_designs_correlate_perfectly_and_have_no_interval():
    small, large = np.array([1.0, 2.0]), np.array([5.0, 3.0])
    assert c.pearson(small, large) == -1.0
    assert c.fisher_interval(-1.0, 2) is None
    assert c.decision_accuracy(small, large) == 0.0


def test_the_fitted_line_is_scipys():
    rng = np.random.default_rng(1)
    small, large = rng.normal(40, 3, size=(2, 9))
    line, reference = c.fit_line(small, large), stats.linregress(small, large)
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((reference[0], reference[1]))


def test_fishers_interval_is_scipys():
    rng = np.random.default_rng(2)
    small, large = rng.normal(size=(2, 21))
    reference = stats.pearsonr(small, large)
    low, high = reference.confidence_interval()
    assert c.fisher_interval(float(np.asarray(reference)[0]), 21) == pytest.approx((low, high))


def test_an_interval_of_r_that_spans_zero_gives_an_r2_interval_from_zero():
    assert c.square_interval((-0.6, 0.2)) == pytest.approx((0.0, 0.36))
    assert c.square_interval((0.2, 0.6)) == pytest.approx((0.04, 0.36))
    assert c.square_interval((-0.6, -0.2)) == pytest.approx((0.04, 0.36))


def test_the_r2_interval_covers_the_papers_r2_as_often_as_it_says():
    rng, rho, n, trials = np.random.default_rng(3), np.sqrt(0.938), 21, 4000
    common, own = rng.normal(size=(2, trials, n))
    other = rho * common + np.sqrt(1 - rho**2) * own
    covered = 0
    for small, large in zip(common, other, strict=True):
        r = c.pearson(small, large)
        interval = None if r is None else c.fisher_interval(r, n)
        assert interval is not None
        low, high = c.square_interval(interval)
        covered += low <= 0.938 <= high
    assert 0.92 <= covered / trials <= 0.97


def test_regret_averages_over_designs_tied_for_best():
    small, large = np.array([1.0, 3.0, 3.0, 2.0]), np.array([9.0, 4.0, 8.0, 7.0])
    assert c.regret(small, large) == pytest.approx(9.0 - (4.0 + 8.0) / 2)
    assert c.top_k_regret(small, large, 1) == pytest.approx(1.0)


def test_designs_tied_at_the_cut_all_count_among_the_top_k():
    scores = np.array([5.0, 4.0, 4.0, 1.0])
    assert c.top_k(scores, 2).tolist() == [True, True, True, False]
    assert c.top_k_recall(scores, np.array([1.0, 2.0, 3.0, 9.0]), 2) == pytest.approx(0.5)


def test_agreement_between_blocks_only_vanishes_within_them():
    small = np.array([0.0, 1.0, 10.0, 11.0])
    large = np.array([1.0, 0.0, 11.0, 10.0])
    within = c.within_blocks(small, large, np.array([0, 0, 1, 1]))
    pooled = c.pearson(small, large)
    assert pooled is not None
    assert pooled > 0.95
    assert (within.pearson, within.decision_accuracy) == (pytest.approx(-1.0), 0.0)


def test_a_design_alone_in_its_block_is_dropped_and_n_says_so():
    small, large = np.array([0.0, 1.0, 50.0]), np.array([0.0, 2.0, 90.0])
    within = c.within_blocks(small, large, np.array([7, 7, 3]))
    assert (within.n, within.blocks, within.decision_accuracy) == (2, 1, 1.0)
    alone = c.within_blocks(small, large, np.array([1, 2, 3]))
    assert (alone.n, alone.r2, alone.decision_accuracy) == (0, None, None)


def test_scores_scattered_around_chance_are_not_above_it():
    rng = np.random.default_rng(4)
    assert c.not_above_chance(0.25 + 0.01 * rng.normal(size=12), 0.25)
    assert not c.not_above_chance(0.40 + 0.01 * rng.normal(size=12), 0.25)
