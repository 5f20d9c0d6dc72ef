"""Choosing under resampled scores, against a loop over the draws."""

import numpy as np
import pytest

from analysis.statistics import selection as s
from analysis.statistics.selection_noise import selection_noise


def test_intervals_and_chances_are_those_of_the_draws_one_by_one():
    rng = np.random.default_rng(0)
    small, large = rng.integers(0, 6, (2, 400, 7)).astype(float)
    found = selection_noise(small, large, [1, 3], sources=("seeds",))
    draws = list(zip(small, large, strict=True))
    regrets = [s.regret(*draw) for draw in draws]
    assert found.regret_ci == pytest.approx(np.percentile(np.array(regrets, float), [2.5, 97.5]))
    for k in (1, 3):
        lost = np.array([s.top_k_regret(*draw, k) for draw in draws], float)
        recall = np.array([s.top_k_recall(*draw, k) for draw in draws], float)
        expected = pytest.approx(np.percentile(lost, [2.5, 97.5]))
        assert found.top_k_regret_ci[str(k)] == expected
        assert found.top_k_recall_ci[str(k)] == pytest.approx(np.percentile(recall, [2.5, 97.5]))
    picked = [s.picks_best(*draw) for draw in draws]
    assert found.p_best == pytest.approx(np.mean(np.array(picked, float)))


def test_more_designs_taken_along_hold_the_best_more_often():
    rng = np.random.default_rng(1)
    true = rng.normal(size=8)
    small, large = true + rng.normal(size=(2, 500, 8))
    found = selection_noise(small, large, [1, 3, 5], sources=("items",))
    assert found.p_top_k["1"] < found.p_top_k["3"] < found.p_top_k["5"] < 1.0
