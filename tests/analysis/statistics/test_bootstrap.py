"""Resampling designs, blocks and errors, against slow resampling and by what must not change."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from score_arrays import two_scales

from analysis.statistics import bootstrap as b
from analysis.statistics.scores import Scores


def related(n: int, r: float, seed: int) -> tuple[Scores, Scores]:
    rng = np.random.default_rng(seed)
    small = rng.normal(size=n)
    return small, r * small + np.sqrt(1 - r * r) * rng.normal(size=n)


def test_the_error_of_r_is_that_of_scipys_bootstrap():
    small, large = related(40, 0.8, 0)
    found = b.design_bootstrap(small, large, np.random.default_rng(1), 4000)["pearson"]
    reference = stats.bootstrap(
        (small, large),
        lambda x, y, axis: stats.pearsonr(x, y, axis=axis)[0],
        paired=True,
        n_resamples=4000,
        rng=np.random.default_rng(2),
    )
    assert found.se == pytest.approx(reference.standard_error, rel=0.06)
    assert found.ci is not None
    assert found.ci == pytest.approx(tuple(reference.confidence_interval), abs=0.03)


def test_the_same_generator_gives_the_same_intervals():
    small, large = related(12, 0.7, 3)
    first, second = (
        b.design_bootstrap(small, large, np.random.default_rng(5), 500) for _ in range(2)
    )
    assert first == second


@settings(max_examples=15, deadline=None)
@given(scales=two_scales())
def test_intervals_hold_r2_between_0_and_1_or_are_not_there(scales: tuple[Scores, Scores]):
    found = b.design_bootstrap(*scales, np.random.default_rng(0), 200)
    interval = found["r2"].ci
    assert interval is None or 0.0 <= interval[0] <= interval[1] <= 1.0


def test_crossed_resampling_takes_whole_blocks_and_whole_configurations():
    rng = np.random.default_rng(4)
    blocks, configurations = np.repeat(np.arange(3), 7), np.tile(np.arange(7), 3)
    of_block = 3 * rng.normal(size=3)
    small = of_block[blocks] + rng.normal(size=21)
    large = of_block[blocks] + rng.normal(size=21)
    found = b.crossed_bootstrap(
        small, large, blocks, configurations, np.random.default_rng(6), 4000
    )
    slow: list[float] = []
    for _ in range(4000):
        chosen = rng.integers(0, 3, 3), rng.integers(0, 7, 7)
        drawn = [7 * block + c for block in chosen[0] for c in chosen[1]]
        slow.append(np.corrcoef(small[drawn], large[drawn])[0, 1] ** 2)
    assert found["r2"].se == pytest.approx(np.std(slow), rel=0.08)
    assert found["r2"].ci == pytest.approx(np.percentile(slow, [2.5, 97.5]), abs=0.05)
    plain = b.design_bootstrap(small, large, np.random.default_rng(6), 4000)["r2"]
    assert (found["r2"].se or 0.0) > (plain.se or 1.0)


def test_errors_move_the_statistic_around_where_it_was_seen():
    small, large = related(21, 0.97, 7)
    rng = np.random.default_rng(8)
    errors = (0.5 * rng.normal(size=(3000, 21)), 0.5 * rng.normal(size=(3000, 21)))
    found = b.noise_bootstrap(small, large, errors)
    r = float(np.corrcoef(small, large)[0, 1])
    interval = found["pearson"].ci
    assert interval is not None
    assert interval[0] < r < interval[1]
    none = b.noise_bootstrap(small, large, (0 * errors[0], 0 * errors[1]))
    assert none["pearson"].se == pytest.approx(0.0, abs=1e-12)


def test_designs_and_errors_together_move_more_than_designs_alone():
    small, large = related(30, 0.9, 9)
    rng = np.random.default_rng(10)
    errors = (0.3 * rng.normal(size=(3000, 30)), 0.3 * rng.normal(size=(3000, 30)))
    alone = b.design_bootstrap(small, large, np.random.default_rng(11), 3000)["r2"]
    together = b.joint_bootstrap(small, large, errors, np.random.default_rng(11), 3000)["r2"]
    assert alone.se is not None
    assert together.se is not None
    assert together.se > alone.se


@given(
    draws=st.lists(st.floats(-0.99, 0.99), min_size=3, max_size=9),
    to=st.floats(-0.9, 0.9),
    even=st.sampled_from(["artanh", "arcsin"]),
)
@settings(max_examples=40, deadline=None)
def test_moved_draws_have_the_wanted_median_and_stay_correlations(
    draws: list[float], to: float, even: b.Even
):
    moved = b.recentred(np.array([*draws, 1.0, -1.0]), "pearson", to=np.array([to]), even=even)
    scale = {"artanh": np.arctanh, "arcsin": np.arcsin}[even]
    with np.errstate(divide="ignore"):
        assert np.median(scale(moved)) == pytest.approx(scale(to), abs=1e-6)
    assert (np.abs(moved) <= 1.0).all()


def test_intraclass_correlation_is_1_in_blocks_of_equals_and_not_positive_in_mixed_ones():
    blocks = np.repeat(np.arange(4), 3)
    assert b.intraclass(blocks.astype(float), blocks) == pytest.approx(1.0)
    mixed = b.intraclass(np.tile([0.0, 1.0, 2.0], 4), blocks)
    assert mixed is not None
    assert mixed < 0
    assert b.intraclass(np.arange(4.0), np.zeros(4, dtype=np.intp)) is None


def test_intraclass_correlation_recovers_the_share_of_variance_between_blocks():
    rng = np.random.default_rng(12)
    blocks = np.repeat(np.arange(400), 5)
    scores = np.sqrt(0.3) * rng.normal(size=400)[blocks] + np.sqrt(0.7) * rng.normal(size=2000)
    assert b.intraclass(scores, blocks) == pytest.approx(0.3, abs=0.05)
