"""Statistics against scipy, against hand counts, by property and by simulation."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from score_arrays import TIED, two_scales

from analysis.statistics import consistency as c
from analysis.statistics.agreement import decision_accuracy
from analysis.statistics.intervals import fisher_interval
from analysis.statistics.scores import Scores, is_constant
from analysis.statistics.selection import regret

Statistic = Callable[[Scores, Scores], float | None]
STATISTICS: tuple[Statistic, ...] = (c.pearson, c.spearman, c.kendall, decision_accuracy)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_correlations_equal_scipys_wherever_they_are_defined(scales: tuple[Scores, Scores]):
    small, large = scales
    if is_constant(small) or is_constant(large):
        assert c.pearson(small, large) is c.spearman(small, large) is None
        assert c.kendall(small, large) is None
        return
    assert c.pearson(small, large) == pytest.approx(stats.pearsonr(small, large)[0])
    assert c.spearman(small, large) == pytest.approx(stats.spearmanr(small, large)[0])
    assert c.kendall(small, large) == pytest.approx(stats.kendalltau(small, large)[0])


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), gain=st.sampled_from([0.25, 3.0, 100.0]), shift=TIED)
def test_agreement_does_not_depend_on_either_scales_units(
    scales: tuple[Scores, Scores], gain: float, shift: float
):
    small, large = scales
    for statistic in STATISTICS:
        plain = statistic(small, large)
        assert statistic(gain * small + shift, large) == pytest.approx(plain)
        assert statistic(small, gain * large + shift) == pytest.approx(plain)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 99))
def test_the_order_of_designs_is_irrelevant_and_the_scales_are_interchangeable(
    scales: tuple[Scores, Scores], seed: int
):
    small, large = scales
    order = np.random.default_rng(seed).permutation(small.size)
    for statistic in (*STATISTICS, regret):
        assert statistic(small[order], large[order]) == pytest.approx(statistic(small, large))
    for statistic in STATISTICS:
        assert statistic(large, small) == pytest.approx(statistic(small, large))


def test_two_designs_correlate_perfectly_and_have_no_interval():
    small, large = np.array([1.0, 2.0]), np.array([5.0, 3.0])
    assert c.pearson(small, large) == -1.0
    assert fisher_interval(-1.0, 2) is None
    assert decision_accuracy(small, large) == 0.0


def test_the_fitted_line_is_scipys():
    rng = np.random.default_rng(1)
    small, large = rng.normal(40, 3, size=(2, 9))
    line, reference = c.fit_line(small, large), stats.linregress(small, large)
    assert line is not None
    assert (line.slope, line.intercept) == pytest.approx((reference[0], reference[1]))


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
