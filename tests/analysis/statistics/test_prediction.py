"""Prediction statistics against refitting by hand and against scipy."""

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats
from score_arrays import two_scales

from analysis.statistics import prediction as p
from analysis.statistics.scores import Scores, is_constant


def slow_predictive(small: Scores, large: Scores) -> float | None:
    """Refit the line and the mean without each design in turn."""
    line_errors, mean_errors = [], []
    for i in range(small.size):
        x, y = np.delete(small, i), np.delete(large, i)
        if np.ptp(x) == 0:
            return None
        fitted = stats.linregress(x, y)
        line_errors.append(large[i] - fitted[1] - fitted[0] * small[i])
        mean_errors.append(large[i] - y.mean())
    return 1 - float(np.sum(np.square(line_errors)) / np.sum(np.square(mean_errors)))


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_predictive_r2_equals_refitting_without_each_design(scales: tuple[Scores, Scores]):
    small, large = scales
    defined = small.size > 2 and not is_constant(small) and not is_constant(large)
    expected = slow_predictive(small, large) if defined else None
    assert p.r2_predictive(small, large) == (expected and pytest.approx(expected, abs=1e-9))


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_theil_sen_is_the_median_of_all_slopes(scales: tuple[Scores, Scores]):
    small, large = scales
    slopes = [
        (large[i] - large[j]) / (small[i] - small[j])
        for i in range(small.size)
        for j in range(i)
        if small[i] != small[j]
    ]
    assert p.theil_sen(small, large) == (pytest.approx(np.median(slopes)) if slopes else None)


def test_the_identity_line_is_not_the_best_line():
    small = np.array([1.0, 2.0, 3.0])
    assert p.r2_identity(small, small) == 1.0
    assert p.r2_identity(small, small + 10) == pytest.approx(1 - 300 / 2)
    assert p.r2_identity(small, np.full(3, 2.0)) is None
