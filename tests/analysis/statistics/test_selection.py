"""What choosing at the small scale costs, by hand counts and by property."""

import numpy as np
import pytest
from hypothesis import given, settings
from score_arrays import two_scales

from analysis.statistics import selection as s
from analysis.statistics.scores import Scores


def test_regret_averages_over_designs_tied_for_best():
    small, large = np.array([1.0, 3.0, 3.0, 2.0]), np.array([9.0, 4.0, 8.0, 7.0])
    assert s.regret(small, large) == pytest.approx(9.0 - (4.0 + 8.0) / 2)
    assert s.top_k_regret(small, large, 1) == pytest.approx(1.0)
    assert s.picks_best(small, np.array([9.0, 4.0, 9.0, 7.0])) == 0.5


def test_designs_tied_at_the_cut_all_count_among_the_top_k():
    scores = np.array([5.0, 4.0, 4.0, 1.0])
    assert s.top_k(scores, 2).tolist() == [True, True, True, False]
    assert s.top_k_recall(scores, np.array([1.0, 2.0, 3.0, 9.0]), 2) == pytest.approx(0.5)


@settings(max_examples=60, deadline=None)
@given(scales=two_scales())
def test_more_designs_taken_along_never_lose_more(scales: tuple[Scores, Scores]):
    small, large = scales
    lost = [s.top_k_regret(small, large, k) for k in range(1, small.size + 1)]
    assert lost == sorted(lost, reverse=True)  # pyright: ignore[reportArgumentType]
    assert (lost[-1], s.top_k_recall(small, large, small.size)) == (0.0, 1.0)


def test_no_design_gives_no_number():
    none = np.array([])
    assert s.regret(none, none) is s.picks_best(none, none) is s.top_k_regret(none, none, 1) is None
    assert s.top_k_recall(none, none, 1) is None
