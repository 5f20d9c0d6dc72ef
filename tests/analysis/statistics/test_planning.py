"""Planning: numbers needed by trying one by one, subsets against all others, by simulation."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.statistics.effects import Variance, paired_effect, paired_seed_variance
from analysis.statistics.intervals import fisher_interval, square_interval
from analysis.statistics.planning import (
    designs_for_r2,
    effect_half_width_of_seeds,
    items_for_effect,
    r2_half_width,
    seeds_for_effect,
)
from analysis.statistics.subset import best, losses, plan_subsets, tightest


@pytest.mark.parametrize(("r", "half"), [(0.97, 0.05), (0.9, 0.1), (0.3, 0.2), (-0.9, 0.1)])
def test_the_designs_needed_are_the_first_number_that_is_enough(r: float, half: float):
    def width(n: int) -> float:
        interval = fisher_interval(r, n)
        assert interval is not None
        low, high = square_interval(interval)
        return (high - low) / 2

    needed = designs_for_r2(r, half)
    assert needed == next(n for n in range(4, 5000) if width(n) <= half)
    assert r2_half_width(r, 21) == pytest.approx(width(21))


def test_a_width_that_no_study_reaches_has_no_number():
    assert designs_for_r2(0.5, 1e-9) is None
    assert r2_half_width(0.9, 3) is None
    assert seeds_for_effect(100.0, 1e-6, designs=21) is None
    assert effect_half_width_of_seeds(1.0, 1, 21) is None


def test_the_seeds_needed_give_the_half_width_in_simulated_studies():
    needed = seeds_for_effect(0.25, 0.5, designs=4)
    assert needed is not None
    rng = np.random.default_rng(0)
    halves: list[float] = []
    for _ in range(400):
        noise = paired_seed_variance(rng.normal(0, 0.5, (4, needed)))
        assert noise is not None
        seeds = Variance(2 * noise.value / needed, noise.freedom)
        ci = paired_effect(np.array([1.0]), seeds=[seeds]).ci
        assert ci is not None
        halves.append((ci[1] - ci[0]) / 2)
    assert np.sqrt(np.mean(np.square(halves))) <= 0.5 * 1.03
    fewer = effect_half_width_of_seeds(0.25, needed - 1, 4)
    assert fewer is not None
    assert fewer > 0.5


def test_four_times_the_items_halve_the_item_noise():
    assert items_for_effect(1.0, 500, 1.959963984540054) == 500
    assert items_for_effect(1.0, 500, 1.959963984540054 / 2) == 2000


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(-20, 20).map(float), min_size=3, max_size=8),
    st.integers(2, 8),
)
def test_the_tightest_subset_beats_all_others(small: list[float], k: int):
    scores = np.array(small)
    k = min(k, scores.size)
    found = scores[tightest(scores, k)]
    most = max(np.var(scores[list(chosen)]) for chosen in combinations(range(scores.size), k))
    assert np.var(found) == pytest.approx(most)
    assert sorted(scores[best(scores, k)]) == sorted(small)[-k:]


def test_losses_are_those_of_looking_design_by_design():
    rng = np.random.default_rng(1)
    small, futures = rng.normal(0, 1, 7), rng.normal(0, 1, (50, 7))
    chosen = np.array([0, 2, 3, 6])
    foretold, blind = [], []
    for future in futures:
        line = stats.linregress(small[chosen], future[chosen])
        looks = [
            future[i] if i in chosen else line[1] + line[0] * small[i] for i in range(small.size)
        ]
        foretold.append(future.max() - future[int(np.argmax(looks))])
        blind.append(future.max() - future[chosen].max())
    np.testing.assert_allclose(losses(small, futures, chosen, foretell=True), foretold)
    np.testing.assert_allclose(losses(small, futures, chosen, foretell=False), blind)


def test_running_all_loses_nothing_and_running_fewer_loses_more():
    rng = np.random.default_rng(2)
    small = rng.normal(0, 2, 12)
    plans = plan_subsets(small, slope=0.9, sigma=1.0, ks=(2, 4, 8, 12), rng=rng)
    by_best = [plan for plan in plans if plan.strategy == "best at the small scale"]
    assert [plan.expected_loss for plan in by_best] == sorted(
        (plan.expected_loss for plan in by_best), reverse=True
    )
    assert by_best[-1].expected_loss == 0.0
    assert by_best[-1].slope_error_ratio == pytest.approx(1.0)
    assert plans[0].slope_half_width is None


def test_a_slope_from_the_tightest_subset_has_the_planned_width():
    rng = np.random.default_rng(3)
    small = rng.normal(0, 2, 15)
    plan = plan_subsets(small, slope=0.8, sigma=0.5, ks=(6,), rng=rng)[0]
    chosen = list(plan.designs)
    x = small[chosen]
    slopes = np.array([np.polyfit(x, 0.8 * x + rng.normal(0, 0.5, 6), 1)[0] for _ in range(3000)])
    assert plan.slope_half_width is not None
    assert slopes.std() * stats.t.ppf(0.975, 4) == pytest.approx(plan.slope_half_width, rel=0.05)
