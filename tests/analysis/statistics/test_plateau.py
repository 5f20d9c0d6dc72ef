"""Curves against scipy's optimiser, knees and plateaus by simulation."""

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.statistics.plateau import (
    aicc,
    find_plateau,
    fit_broken_stick,
    fit_linear,
    fit_saturating,
    standstill,
)
from analysis.statistics.scores import Scores

SIZES = np.geomspace(1e4, 1e7, 16)
X = np.log10(SIZES)


def bent(x: Scores, knee: float = 5.5) -> Scores:
    return 30.0 + 8.0 * np.minimum(x, knee)


def test_the_fits_are_as_good_as_a_general_optimisers():
    rng = np.random.default_rng(0)
    y = bent(X) + rng.normal(0, 0.3, X.size)

    def stick(x: Scores, a: float, b: float, c: float, k: float) -> Scores:
        return a + b * x + c * np.maximum(x - k, 0.0)

    best = optimize.curve_fit(stick, X, y, p0=[30, 8, -8, 5.4])[0]
    found = fit_broken_stick(X, y)
    assert found.residual_sum == pytest.approx(np.sum((y - stick(X, *best)) ** 2), rel=0.03)
    assert found.parameters[3] == pytest.approx(best[3], abs=0.05)

    def level(x: Scores, c: float, g: float, r: float) -> Scores:
        return c - g * np.exp(-r * (x - x.min()))

    best = optimize.curve_fit(level, X, y, p0=[75, 10, 1.0])[0]
    assert fit_saturating(X, y).residual_sum == pytest.approx(
        np.sum((y - level(X, *best)) ** 2), rel=0.03
    )
    line = stats.linregress(X, y)
    assert fit_linear(X, y).parameters == pytest.approx((line[1], line[0]))


def test_aicc_is_its_formula_and_has_its_limits():
    assert aicc(2.0, 10, 3) == pytest.approx(10 * np.log(0.2) + 6 + 24 / 6)
    assert aicc(2.0, 4, 3) is None
    assert aicc(0.0, 10, 3) is None


def test_a_curve_that_levels_off_is_a_plateau_with_its_knee():
    rng = np.random.default_rng(1)
    found = find_plateau(SIZES, bent(X) + rng.normal(0, 0.2, X.size), rng=rng)
    assert found.chosen == "broken stick"
    assert found.declared
    assert found.knee_ci is not None
    assert found.knee_ci[0] < 10**5.5 < found.knee_ci[1]
    assert found.standstill is not None
    assert abs(found.standstill.growth) < found.standstill.margin


def test_a_curve_that_still_grows_or_is_all_noise_is_no_plateau():
    rng = np.random.default_rng(2)
    grows = [find_plateau(SIZES, 8 * X + rng.normal(0, 1, X.size), rng=rng, draws=50)
             for _ in range(60)]  # fmt: skip
    assert np.mean([found.declared for found in grows]) <= 0.05
    bends = 8 * np.minimum(X, 5.0) + 2.5 * np.maximum(X - 5.0, 0)
    still = [find_plateau(SIZES, bends + rng.normal(0, 0.3, X.size), rng=rng, draws=50)
             for _ in range(60)]  # fmt: skip
    assert np.mean([found.declared for found in still]) <= 0.05
    assert not find_plateau(SIZES, rng.normal(0, 1, X.size), rng=rng, margin=0.1).declared


def test_the_knees_interval_covers_it():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(120):
        found = find_plateau(SIZES, bent(X) + rng.normal(0, 0.4, X.size), rng=rng, draws=200)
        if found.knee_ci is not None:
            hits += found.knee_ci[0] <= 10**5.5 <= found.knee_ci[1]
    assert hits / 120 > 0.88


def test_fewer_than_eight_sizes_choose_no_curve():
    found = find_plateau(SIZES[:7], bent(X)[:7], rng=np.random.default_rng(0))
    assert (found.chosen, found.knee, found.declared) == (None, None, False)
    assert len(found.curves) == 3
    assert "fewer than 8" in found.caution
    find_plateau(np.array([1.0, 10.0]), np.array([1.0, 2.0]), rng=np.random.default_rng(0))


def test_standstill_is_two_one_sided_t_tests():
    rng = np.random.default_rng(4)
    y = 0.1 * X + rng.normal(0, 0.2, X.size)
    found = standstill(X, y, start=float(X[4]), margin=0.8)
    assert found is not None
    line = stats.linregress(X[4:], y[4:])
    span = X[-1] - X[4]
    slope, error = line[0], line[4]
    p = [
        stats.t.sf((0.8 - slope * span) / (error * span), 10),
        stats.t.sf((slope * span + 0.8) / (error * span), 10),
    ]
    assert found.p == pytest.approx(max(p))
    assert (found.points, found.start) == (12, pytest.approx(SIZES[4]))
    assert standstill(X, y, start=float(X[-2]), margin=1.0) is None
