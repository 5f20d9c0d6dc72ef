"""Decision accuracy and its refinements against slow counts over pairs and against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from score_arrays import two_scales

from analysis.statistics import agreement as a
from analysis.statistics.scores import Scores


def slow_votes(small: Scores, large: Scores, band: float = 0.0) -> list[tuple[float, float]]:
    """For each pair: how far apart the designs are at the large scale, and 1, 1/2 or 0."""
    return [
        (
            abs(large[i] - large[j]),
            0.5
            if abs(small[i] - small[j]) <= band or abs(large[i] - large[j]) <= band
            else float((small[i] < small[j]) == (large[i] < large[j])),
        )
        for i in range(small.size)
        for j in range(i)
    ]


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), band=st.sampled_from([0.0, 0.5, 2.0]))
def test_decision_accuracy_equals_a_slow_count_over_pairs(
    scales: tuple[Scores, Scores], band: float
):
    votes = [vote for _, vote in slow_votes(*scales, band)]
    assert a.decision_accuracy(*scales, band=band) == pytest.approx(np.mean(votes))


def test_without_ties_decision_accuracy_is_kendalls_tau_moved_to_0_1():
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(2, 15))
    tau = np.asarray(stats.kendalltau(small, large))[0]
    assert a.decision_accuracy(small, large) == pytest.approx((tau + 1) / 2)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_the_weighted_one_equals_a_slow_count_of_points_kept(scales: tuple[Scores, Scores]):
    votes = slow_votes(*scales)
    stake = sum(gap for gap, _ in votes)
    kept = sum(gap * vote for gap, vote in votes)
    expected = pytest.approx(kept / stake) if stake else None
    assert a.weighted_decision_accuracy(*scales) == expected


@settings(max_examples=60, deadline=None)
@given(scales=two_scales(), margin=st.sampled_from([0.0, 1.0, 4.0, 40.0]))
def test_a_margin_parts_the_pairs_into_far_and_close_ones(
    scales: tuple[Scores, Scores], margin: float
):
    far = [vote for gap, vote in slow_votes(*scales) if gap >= margin]
    close = [vote for gap, vote in slow_votes(*scales) if gap < margin]
    (point,) = a.margin_curve(*scales, margins=[margin])
    assert (point.pairs, point.pairs_closer) == (len(far), len(close))
    for share, votes in (
        (point.decision_accuracy, far),
        (point.decision_accuracy_closer, close),
    ):
        assert share == (pytest.approx(np.mean(votes)) if votes else None)


@settings(max_examples=40, deadline=None)
@given(scales=two_scales())
def test_the_curve_starts_with_all_pairs_and_its_margins_rise(scales: tuple[Scores, Scores]):
    curve = a.margin_curve(*scales)
    assert curve[0].decision_accuracy == pytest.approx(a.decision_accuracy(*scales))
    margins = [point.margin for point in curve]
    assert margins == sorted(set(margins))


def test_one_design_makes_no_pair():
    one = np.array([1.0])
    assert a.decision_accuracy(one, one) is a.weighted_decision_accuracy(one, one) is None
    assert a.margin_curve(one, one) == ()


def test_rounding_of_means_over_seeds_is_a_tie():
    small = np.array([0.1 + 0.2, 0.3])
    assert a.decision_accuracy(small, np.array([1.0, 2.0])) == 0.5


def test_normal_scores_agree_as_often_as_the_arcsine_says():
    rng, r = np.random.default_rng(1), 0.8
    small = rng.normal(size=1500)
    large = r * small + np.sqrt(1 - r * r) * rng.normal(size=1500)
    expected = a.expected_decision_accuracy(r)
    assert expected == pytest.approx(0.795, abs=1e-3)
    assert a.decision_accuracy(small, large) == pytest.approx(expected, abs=0.015)
