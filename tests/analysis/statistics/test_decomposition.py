"""Agreement taken apart, against least squares and slow sums."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from score_arrays import two_scales

from analysis.statistics import decomposition as d
from analysis.statistics.consistency import within_blocks
from analysis.statistics.scores import Scores


@settings(max_examples=50, deadline=None)
@given(scales=two_scales(), seed=st.integers(0, 50))
def test_holding_one_column_fixed_is_comparing_within_its_blocks(
    scales: tuple[Scores, Scores], seed: int
):
    small, large = scales
    blocks = np.random.default_rng(seed).integers(0, 3, small.size)
    within = within_blocks(small, large, blocks)
    found = d.partial_correlation(small, large, {"block": blocks})
    if found.r is not None and within.pearson is not None:
        assert found.r == pytest.approx(within.pearson, abs=1e-7)


def test_two_columns_are_held_fixed_together():
    rng = np.random.default_rng(0)
    rows, columns = np.repeat(np.arange(5), 4), np.tile(np.arange(4), 5)
    small = 3.0 * rows + columns + rng.normal(size=20)
    large = 2.0 * rows - columns + rng.normal(size=20)
    found = d.partial_correlation(small, large, {"row": rows, "column": columns})

    def rest(scores: Scores) -> Scores:
        table = scores.reshape(5, 4)
        means = table.mean(axis=1, keepdims=True) + table.mean(axis=0) - table.mean()
        return (table - means).ravel()

    expected = np.corrcoef(rest(small), rest(large))[0, 1]
    assert found.r == pytest.approx(expected)
    assert found.ci is not None
    none = d.partial_correlation(small[:8], large[:8], {"each": np.arange(8)})
    assert (none.r, none.ci) == (None, None)


def test_shares_between_and_within_add_up():
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 4, 30)
    small = groups + rng.normal(size=30)
    large = 2 * groups + rng.normal(size=30)
    found = d.decompose(small, large, groups)
    total = np.cov(small, large)[0, 1] * 29
    within = sum(
        np.sum((small[g] - small[g].mean()) * (large[g] - large[g].mean()))
        for g in (groups == name for name in range(4))
    )
    assert found.between_share == pytest.approx(1 - within / total)
    assert (found.groups, found.n_within) == (4, 30)
    means = np.array([[x[groups == g].mean() for g in range(4)] for x in (small, large)])
    assert found.r2_between == pytest.approx(np.corrcoef(means)[0, 1] ** 2)
    assert found.eta2_small is not None
    assert 0 < found.eta2_small < 1


def test_what_is_left_out_is_named_with_the_range_it_causes():
    small, large = np.array([0.0, 1.0, 2.0, 9.0]), np.array([1.0, 0.0, 2.0, 9.0])
    parts = [
        d.without(small, large, np.arange(4) != i, {"b": np.zeros(4, dtype=int)}, f"d{i}")
        for i in range(4)
    ]
    found = d.range_of(parts)
    assert (found.lowest_without, parts[3].n) == ("d3", 3)
    assert found.low == parts[3].r2 == pytest.approx(0.25)
    assert parts[3].within["b"] == pytest.approx(0.25)
    assert d.range_of([]).low is None


def test_the_better_designs_are_those_of_the_small_scale():
    kept = d.upper_parts(np.arange(10.0))
    assert {name: int(mask.sum()) for name, mask in kept.items()} == {
        "worst 20 %": 8,
        "lower half": 5,
    }
    assert d.upper_parts(np.array([])) == {}
