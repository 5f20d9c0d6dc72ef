"""Paired effects, Holm's adjustment and Deming's line against scipy, slow versions, simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from analysis.statistics.effect_transfer import (
    deming,
    effect_transfer,
    sign_agreement,
    wilson_interval,
)
from analysis.statistics.effects import Variance, holm, paired_effect, paired_seed_variance
from analysis.statistics.scores import Scores


def test_an_effect_over_contexts_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    level, reference = rng.normal(1.0, 1.0, 6), rng.normal(0.0, 1.0, 6)
    found = paired_effect(level - reference)
    expected = stats.ttest_rel(level, reference)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.ci == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert (found.n, found.freedom, found.error) == (6, 5.0, ("contexts",))


def test_one_context_without_seeds_or_items_is_not_testable():
    found = paired_effect(np.array([1.5]))
    assert (found.effect, found.ci, found.p) == (1.5, None, None)
    assert found.not_testable == "one context and neither seeds nor items"
    assert paired_effect(np.array([2.0, 2.0])).not_testable == "no spread at all"


def test_seeds_and_items_of_one_context_add_up():
    influence = np.array([[0.3, -0.1, -0.2]])
    found = paired_effect(np.array([1.0]), seeds=[Variance(0.25, 4.0)], influence=influence)
    assert found.se == pytest.approx(np.sqrt(0.25 + 0.14))
    assert found.freedom == pytest.approx(0.39**2 / (0.25**2 / 4 + 0.14**2 / 2))
    assert found.error == ("seeds", "items")


def test_items_that_all_contexts_share_widen_the_interval_by_what_they_share():
    differences = np.array([1.0, 2.0])
    psi = np.array([[0.3, -0.3, 0.0], [0.1, -0.2, 0.1]])
    shared = sum(float(psi[a] @ psi[b]) for a in range(2) for b in range(2) if a != b) / 2
    found = paired_effect(differences, influence=psi)
    assert found.se == pytest.approx(np.sqrt(0.25 + shared))


def test_paired_seed_noise_leaves_out_what_a_seed_does_to_all_designs():
    rng = np.random.default_rng(1)
    own = rng.normal(0.0, 0.5, (400, 3))
    runs = rng.normal(0.0, 5.0, (400, 1)) + rng.normal(0.0, 9.0, (1, 3)) + own
    found = paired_seed_variance(runs)
    assert found is not None
    assert found.freedom == 399 * 2
    assert found.value == pytest.approx(0.25, rel=0.15)
    assert paired_seed_variance(runs[:1]) is None


def test_an_effects_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(600):
        runs = np.array([[0.0], [1.0], [0.3]]) + rng.normal(0, 2, (1, 3)) + rng.normal(0, 1, (3, 3))
        noise = paired_seed_variance(runs)
        assert noise is not None
        difference = runs[1].mean() - runs[0].mean()
        of_mean = Variance(2 * noise.value / 3, noise.freedom)
        ci = paired_effect(np.array([difference]), seeds=[of_mean]).ci
        assert ci is not None
        hits += ci[0] <= 1.0 <= ci[1]
    assert 0.92 < hits / 600 < 0.98


def slow_holm(p: list[float]) -> list[float]:
    """Each adjusted p is the smallest level at which the step-down procedure rejects it."""

    def rejected(level: float) -> list[bool]:
        out = [False] * len(p)
        for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[i] * (len(p) - step) > level:
                break
            out[i] = True
        return out

    levels = sorted({min(1.0, x * k) for x in p for k in range(1, len(p) + 1)} | {1.0})
    return [next((a for a in levels if rejected(a + 1e-12)[i]), 1.0) for i in range(len(p))]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 50).map(lambda k: k / 50), min_size=1, max_size=7))
def test_holm_is_the_smallest_level_that_rejects(p: list[float]):
    assert holm(p) == pytest.approx(slow_holm(p), abs=1e-9)


def test_holm_passes_over_what_was_not_tested():
    assert holm([0.01, None, 0.04]) == [pytest.approx(0.02), None, pytest.approx(0.04)]
    assert holm([None]) == [None]


def slow_deming(x: Scores, y: Scores, ratio: float) -> float:
    """Find the slope that minimises the weighted distances of points to the line."""

    def cost(angle: float) -> float:
        slope = np.tan(angle)
        rest = (y - y.mean()) - slope * (x - x.mean())
        return float(np.sum(rest**2) / (ratio + slope**2))

    angles = np.linspace(-np.pi / 2 + 1e-3, np.pi / 2 - 1e-3, 400)
    best = angles[np.argmin([cost(a) for a in angles])]
    found = optimize.minimize_scalar(cost, bounds=(best - 0.01, best + 0.01), method="bounded")
    return float(np.tan(found.x))


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0])
def test_demings_line_is_nearest_to_the_points(ratio: float):
    rng = np.random.default_rng(3)
    for sign in (1, -1):
        x = rng.normal(0, 1, 12)
        y = sign * 0.8 * x + rng.normal(0, 0.4, 12)
        line = deming(x, y, noise_ratio=ratio)
        assert line is not None
        assert line[0] == pytest.approx(slow_deming(x, y, ratio), abs=1e-3)
        assert line[1] == pytest.approx(y.mean() - line[0] * x.mean())


def test_demings_slope_is_not_flattened_by_noise_where_least_squares_is():
    rng = np.random.default_rng(4)
    true = rng.normal(0, 1, 4000)
    small, large = true + rng.normal(0, 1, 4000), 0.9 * true + rng.normal(0, 0.5, 4000)
    line = deming(small, large, noise_ratio=0.25)
    assert line is not None
    assert line[0] == pytest.approx(0.9, abs=0.06)
    assert stats.linregress(small, large).slope < 0.5  # pyright: ignore[reportAttributeAccessIssue]


def test_the_transfer_slopes_interval_covers_the_truth():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        true = rng.normal(0, 2, 15)
        small, large = true + rng.normal(0, 0.5, 15), 0.7 * true + rng.normal(0, 0.5, 15)
        se = np.full(15, 0.5)
        ci = effect_transfer(small, large, small_se=se, large_se=se).slope_ci
        assert ci is not None
        hits += ci[0] <= 0.7 <= ci[1]
    assert 0.90 < hits / 300 < 0.99


def test_a_transfer_says_why_it_has_no_slope():
    two = effect_transfer(np.array([1.0, 2.0]), np.array([1.0, -2.0]))
    assert (two.slope, two.no_slope, two.sign_agreement) == (None, "fewer than 3 effects", 0.5)
    flat = effect_transfer(np.ones(4), np.arange(4.0))
    assert flat.no_slope == "all effects are the same at one scale"
    empty = effect_transfer(np.array([]), np.array([]))
    assert (empty.sign_agreement, empty.sign_agreement_ci) == (None, None)
    across = effect_transfer(np.array([-1.0, 0.0, 1.0]), np.array([1.0, -2.0, 1.0]))
    assert across.no_slope == "no direction"


def test_signs_agree_or_do_not_and_nothing_is_half():
    assert sign_agreement(np.array([1.0, -1, 0, 2]), np.array([3.0, 1, 1, 2])) == 2.5 / 4


def test_wilsons_interval_is_scipys():
    expected = stats.binomtest(7, 9).proportion_ci(0.95, method="wilson")
    assert wilson_interval(7 / 9, 9) == pytest.approx((expected.low, expected.high))
