"""Statistics of many resamples at once against the plain ones on each resampled table."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_arrays import two_scales

from analysis.statistics import agreement, consistency, weighted
from analysis.statistics.scores import Scores

PLAIN = {
    "pearson": consistency.pearson,
    "spearman": consistency.spearman,
    "kendall": consistency.kendall,
    "decision_accuracy": agreement.decision_accuracy,
    "slope": lambda s, t: getattr(consistency.fit_line(s, t), "slope", None),
}


def as_draw(value: float | None) -> object:
    return pytest.approx(np.nan if value is None else value, nan_ok=True, abs=1e-9)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=40, deadline=None)
@given(scales=two_scales())
def test_the_table_itself_and_its_jackknife_give_the_plain_statistics(
    name: str, scales: tuple[Scores, Scores]
):
    small, large = scales
    whole, left_out = weighted.table_and_jackknife(small.size)
    statistic = weighted.STATISTICS[name]
    assert statistic(whole, small, large)[0] == as_draw(PLAIN[name](small, large))
    for i, found in enumerate(statistic(left_out, small, large)):
        assert found == as_draw(PLAIN[name](np.delete(small, i), np.delete(large, i)))


@pytest.mark.parametrize("name", ["pearson", "spearman", "slope"])
@settings(max_examples=40, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 99))
def test_counts_stand_for_copies_of_designs(name: str, scales: tuple[Scores, Scores], seed: int):
    small, large = scales
    n = small.size
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=4).astype(float)
    found = weighted.STATISTICS[name](counts, small, large)
    for row, value in zip(counts.astype(int), found, strict=True):
        copies = np.repeat(small, row), np.repeat(large, row)
        assert value == as_draw(PLAIN[name](*copies))


@settings(max_examples=40, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 99))
def test_a_pair_of_a_design_with_its_own_copy_is_no_pair(scales: tuple[Scores, Scores], seed: int):
    small, large = scales
    n = small.size
    drawn = np.random.default_rng(seed).integers(0, n, n)
    counts = np.bincount(drawn, minlength=n).astype(float)[None]
    votes = [
        (1 + np.sign(small[i] - small[j]) * np.sign(large[i] - large[j])) / 2
        for place, i in enumerate(drawn)
        for j in drawn[:place]
        if i != j
    ]
    (found,) = weighted.decision_accuracy(counts, small, large)
    assert found == as_draw(float(np.mean(votes)) if votes else None)


@pytest.mark.parametrize("name", PLAIN)
@settings(max_examples=30, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 99))
def test_scores_of_their_own_in_every_resample_give_the_same(
    name: str, scales: tuple[Scores, Scores], seed: int
):
    n = scales[0].size
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=5).astype(float)
    statistic = weighted.STATISTICS[name]
    many = (np.tile(scores, (5, 1)) for scores in scales)
    np.testing.assert_allclose(statistic(counts, *many), statistic(counts, *scales), atol=1e-9)


def test_small_pieces_of_work_add_up_to_the_same(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(2, 7, 6))
    whole = (
        weighted.kendall(np.ones((7, 6)), small, large),
        weighted.spearman(np.ones((7, 6)), small, large),
    )
    monkeypatch.setattr(weighted, "ROOM", 20)
    np.testing.assert_array_equal(whole[0], weighted.kendall(np.ones((7, 6)), small, large))
    np.testing.assert_array_equal(whole[1], weighted.spearman(np.ones((7, 6)), small, large))
