"""Scores from answers: under any weights as counted slowly, and their covariance as simulated."""

import numpy as np
import pytest
from answers import simulate, slow_scores

from analysis.statistics import item_scores as s


def test_scores_under_any_weights_are_the_slow_ones():
    rng = np.random.default_rng(0)
    clusters, kinds = np.repeat(np.arange(9), 2), rng.integers(0, 3, 18)
    right = rng.integers(0, 2, (8, 18)).astype(float)
    items = s.collect(right, clusters, kinds, shape=(4, 2), unit=100.0)
    weights = s.cluster_counts(rng, 9, 5)
    found = s.scores_under(items, weights)
    assert found.shape == (5, 4, 2)
    for drawn, scores in zip(weights, found, strict=True):
        np.testing.assert_allclose(scores.ravel(), slow_scores(right, kinds, drawn[clusters]))


def test_a_category_that_is_not_drawn_is_left_out_for_all():
    right = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    items = s.collect(right, np.arange(3), np.array([0, 0, 1]), shape=(2, 1), unit=1.0)
    scores = s.scores_under(items, np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]]))
    assert scores[0].ravel().tolist() == [0.5, 0.0]
    assert scores[1].ravel().tolist() == [0.75, 0.5]


def test_a_cell_that_was_not_asked_has_no_score():
    right = np.array([[1.0, 0.0], [np.nan, np.nan], [1.0, np.nan]])
    items = s.collect(right, np.arange(2), np.zeros(2, dtype=int), shape=(3, 1), unit=1.0)
    scores = s.scores_under(items, np.ones((1, 2))).ravel()
    np.testing.assert_array_equal(scores, [0.5, np.nan, 1.0])
    assert np.isnan(s.influence(items)[1]).all()


def test_resamples_draw_whole_videos_and_keep_cells_paired():
    right, items = simulate(np.random.default_rng(1))
    assert right.shape == (12, 120)
    scores = s.resample(items, np.random.default_rng(2), 1500).reshape(1500, -1)
    counts = s.cluster_counts(np.random.default_rng(2), 40, 1000)
    np.testing.assert_array_equal(counts.sum(axis=1), 40.0)
    np.testing.assert_array_equal(s.scores_under(items, counts).reshape(1000, -1), scores[:1000])


def test_influence_gives_the_covariance_of_resampled_scores():
    _, items = simulate(np.random.default_rng(3), videos=150)
    scores = s.resample(items, np.random.default_rng(4), 6000).reshape(6000, -1)
    moved = s.influence(items).reshape(12, -1)
    covariance = moved @ moved.T * 149 / 150  # a bootstrap knows nothing of V / (V - 1)
    simulated = np.cov(scores.T)
    np.testing.assert_allclose(np.diag(covariance), np.diag(simulated), rtol=0.1)
    np.testing.assert_allclose(covariance, simulated, atol=0.1 * np.diag(simulated).mean())


def test_the_standard_error_over_videos_is_that_of_new_videos():
    rng = np.random.default_rng(5)
    errors, scores = [], []
    for _ in range(300):
        right, items = simulate(rng, designs=1, scales=1, categories=1, skill=0.0, videos=60)
        scores.append(100 * right.mean())
        errors.append(float(np.sum(s.influence(items) ** 2)))
    assert np.mean(errors) == pytest.approx(np.var(scores), rel=0.2)
