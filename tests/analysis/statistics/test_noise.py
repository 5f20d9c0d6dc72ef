"""Noise of seeds and items, against simulation, scipy and hand counts."""

import numpy as np
import pytest
from answers import simulate
from scipy import stats

from analysis.statistics import noise as z
from analysis.statistics import reliability as y
from analysis.statistics.item_scores import influence


def test_the_pooled_variance_of_seeds_is_the_true_one():
    rng = np.random.default_rng(0)
    cell = np.repeat(np.arange(400), 3)  # 200 designs, 2 scales, 3 seeds
    spread = np.where(cell % 2 == 0, 1.0, 3.0)
    scores = 5 * rng.normal(size=400)[cell] + spread * rng.normal(size=1200)
    found = z.seed_noise(scores, cell, shape=(200, 2))
    assert found is not None
    assert found.freedom.tolist() == [400.0, 400.0]
    np.testing.assert_allclose(found.variance[0], [1 / 3, 9 / 3], rtol=0.2)


def test_resampled_seeds_have_the_variance_of_a_mean_over_them():
    rng = np.random.default_rng(1)
    cell = np.array([0, 0, 1, 1, 1, 2])
    found = z.seed_noise(rng.normal(size=6), cell, shape=(3, 1))
    assert found is not None
    draws = z.resample_seeds(found, rng, 40_000)[:, :, 0]
    np.testing.assert_allclose(draws.var(axis=0), found.variance[:, 0], rtol=0.05)
    assert found.variance[2, 0] == pytest.approx(2 * found.variance[0, 0])


def test_without_replicates_there_is_no_noise_to_know():
    assert z.seed_noise(np.arange(4.0), np.arange(4), shape=(2, 2)) is None
    one_side = z.seed_noise(np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), shape=(1, 2))
    assert one_side is not None
    assert (one_side.freedom[1], one_side.variance[0, 1]) == (0.0, 0.0)


def test_noise_that_all_designs_share_moves_no_difference():
    moved = np.tile(np.random.default_rng(2).normal(size=50), (4, 1))
    np.testing.assert_allclose(z.difference_variance(None, moved), 0.0, atol=1e-9)
    assert z.unshared(moved, moved) == pytest.approx(0.0, abs=1e-9)


def test_the_variance_of_a_difference_is_that_of_paired_answers():
    right, items = simulate(
        np.random.default_rng(3), designs=2, scales=1, videos=200, per_video=1, categories=1
    )
    gap = 100 * (right[0] - right[1])
    found = z.difference_variance(None, influence(items)[:, 0])
    assert found[0, 1] == pytest.approx(gap.var(ddof=1) / 200)


def test_freedom_of_one_variance_is_its_own_and_of_two_is_satterthwaites():
    assert z.joint_freedom([(2.0, 7.0)]) == pytest.approx(7.0)
    assert z.joint_freedom([(1.0, 4.0), (1.0, 4.0)]) == pytest.approx(8.0)
    assert z.joint_freedom([]) == np.inf


def test_reliability_ceiling_and_disattenuation_recover_what_noise_hid():
    rng, n = np.random.default_rng(4), 4000
    true_r = 0.9
    small = rng.normal(size=n)
    large = true_r * small + np.sqrt(1 - true_r**2) * rng.normal(size=n)
    seen = small + 0.7 * rng.normal(size=n), large + 0.5 * rng.normal(size=n)
    rho = [y.reliability(x, e) for x, e in zip(seen, (0.49, 0.25), strict=True)]
    assert rho == pytest.approx([1 / 1.49, 1 / 1.25], abs=0.03)
    r = float(np.corrcoef(*seen)[0, 1])
    assert y.disattenuated(r, rho[0] or 0, rho[1] or 0) == pytest.approx(true_r, abs=0.03)
    again = small + 0.7 * rng.normal(size=n), small + 0.5 * rng.normal(size=n)
    ceiling = y.r2_ceiling(rho[0] or 0, rho[1] or 0)
    assert np.corrcoef(*again)[0, 1] ** 2 == pytest.approx(ceiling, abs=0.03)


def test_scores_that_are_all_noise_have_reliability_0_and_nothing_to_correct():
    scores = np.array([1.0, 2.0, 3.0])
    assert y.reliability(scores, 50.0) == 0.0
    assert y.disattenuated(0.5, 0.0, 0.9) is None
    assert y.reliability(np.ones(3), 1.0) is None


def test_shared_item_noise_is_taken_out_of_the_correlation():
    assert y.disattenuated(0.6, 0.5, 0.5, 0.2) == pytest.approx(0.8)
    assert y.r2_ceiling(0.5, 0.5, 0.2) == pytest.approx(0.49)


def test_decidable_pairs_are_those_that_pass_scipys_benjamini_yekutieli():
    rng = np.random.default_rng(5)
    scores = np.concatenate([rng.normal(size=5), 6 + rng.normal(size=5)])
    variance = np.full((10, 10), 2.0)
    i, j = np.triu_indices(10, k=1)
    p = 2 * stats.t.sf(np.abs(scores[i] - scores[j]) / np.sqrt(2.0), 12.0)
    expected = stats.false_discovery_control(p, method="by") <= 0.05
    np.testing.assert_array_equal(y.decidable(scores, variance, 12.0), expected)
    # Slowly: the largest k with p(k) <= 5 % k / (m (1 + 1/2 + ... + 1/m)).
    m = p.size
    limit = 0.05 * np.arange(1, m + 1) / (m * np.sum(1 / np.arange(1, m + 1)))
    k = int(np.max(np.flatnonzero(np.sort(p) <= limit), initial=-1)) + 1
    assert expected.sum() == k


def test_without_any_noise_every_difference_is_decided():
    found = y.decidable(np.array([1.0, 1.0, 2.0]), np.zeros((3, 3)), 5.0)
    assert found.tolist() == [False, True, True]


def test_wrong_pairs_are_split_into_three():
    wrong = np.array([True, True, True, True, False])
    at_small = np.array([False, False, True, True, False])
    at_large = np.array([True, False, False, True, True])
    assert y.split_wrong(wrong, at_small, at_large) == (2, 1, 1)


def test_a_scale_whose_noise_is_not_known_leaves_its_share_open():
    seeds = z.seed_noise(
        np.array([1.0, 1.2, 5.0, 2.0, 2.1, 6.0, 3.0, 3.3, 4.0]),
        np.array([0, 0, 1, 2, 2, 3, 4, 4, 5]),
        shape=(3, 2),
    )
    known = z.MetricNoise(seeds, None, None)
    found = y.pair_noise(
        np.array([1.1, 2.05, 3.15]), np.array([5.0, 6.0, 4.0]), known, np.arange(3), (0, 1)
    )
    assert found is not None
    assert found.sources == {"small": ("seeds",), "large": ()}
    assert found.reliability_small is not None
    assert found.reliability_large is found.r2_ceiling is found.disattenuated_r is None
    assert (found.wrong, found.wrong_real_reversal) == (2, None)
    nothing = z.MetricNoise(None, None, None)
    assert y.pair_noise(np.ones(3), np.ones(3), nothing, np.arange(3), (0, 1)) is None
