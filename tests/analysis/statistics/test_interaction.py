"""The scale x design interaction against dummy-coded regressions, by simulation, on answers."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.interaction import crossed_anova, nested_anova, video_values
from analysis.statistics.item_scores import collect, scores_under
from analysis.statistics.scores import Scores

Codes = NDArray[np.intp]


def runs(
    rng: np.random.Generator, keep: float, interaction: float = 0.0
) -> tuple[Scores, Codes, Codes]:
    """Draw 3 scales x 5 designs x 3 seeds, of which a share is kept."""
    scale, design, _ = (axis.ravel() for axis in np.indices((3, 5, 3)))
    bump = rng.normal(0, interaction, (3, 5))
    scores = 10.0 * scale + 2.0 * design + bump[scale, design] + rng.normal(0, 1, scale.size)
    kept = rng.random(scale.size) < keep
    return scores[kept], scale[kept], design[kept]


def residual(scores: Scores, *factors: Codes) -> tuple[float, int]:
    """Regress single runs on dummies; return the residual sum of squares and the rank."""
    dummies = [np.ones((scores.size, 1))]
    dummies += [(f[:, None] == np.unique(f)).astype(float) for f in factors]
    x = np.hstack(dummies)
    fitted = x @ np.linalg.pinv(x) @ scores
    return float(np.sum((scores - fitted) ** 2)), int(np.linalg.matrix_rank(x))


@pytest.mark.parametrize("keep", [1.0, 0.7])
def test_nested_sums_are_drops_between_regressions_on_single_runs(keep: float):
    scores, scale, design = runs(np.random.default_rng(0), keep, 1.0)
    rows = {
        row.term: row for row in nested_anova(scores, scale, design, rng=np.random.default_rng(0))
    }
    full, full_rank = residual(scores, scale * 5 + design)
    additive, rank = residual(scores, scale, design)
    for term, other in (("scale", design), ("design", scale)):
        without, smaller = residual(scores, other)
        assert rows[term].sum_of_squares == pytest.approx(without - additive)
        assert rows[term].freedom == rank - smaller
    both = rows["scale x design"]
    assert both.sum_of_squares == pytest.approx(additive - full)
    assert (both.freedom, both.error_freedom) == (full_rank - rank, scores.size - full_rank)
    f = (additive - full) / (full_rank - rank) / (full / (scores.size - full_rank))
    assert both.f == pytest.approx(f)
    assert both.p == pytest.approx(stats.f.sf(f, both.freedom, both.error_freedom))
    assert both.partial_eta2 == pytest.approx((additive - full) / additive)


def test_the_balanced_interaction_has_its_closed_form():
    scores, scale, design = runs(np.random.default_rng(1), 1.0)
    cube = scores.reshape(3, 5, 3)
    m = cube.mean(axis=2)
    rest = m - m.mean(axis=1, keepdims=True) - m.mean(axis=0, keepdims=True) + m.mean()
    row = nested_anova(scores, scale, design, rng=np.random.default_rng(0))[2]
    assert row.sum_of_squares == pytest.approx(3 * np.sum(rest**2))
    assert (row.freedom, row.error_freedom) == (8, 30)


def test_permutations_agree_with_f_on_normal_noise_and_find_an_interaction():
    rng = np.random.default_rng(2)
    row = nested_anova(*runs(rng, 0.9), rng=rng)[2]
    assert row.p is not None
    assert row.p_permutation == pytest.approx(row.p, abs=0.05)
    strong = nested_anova(*runs(rng, 0.9, 3.0), rng=rng)[2]
    assert strong.p_permutation is not None
    assert strong.p_permutation < 0.01


def test_without_interaction_one_test_in_twenty_says_otherwise():
    rng = np.random.default_rng(3)
    p = [nested_anova(*runs(rng, 0.9), rng=rng, draws=99)[2] for _ in range(300)]
    assert 0.02 < np.mean([row.p is not None and row.p < 0.05 for row in p]) < 0.09
    flipped = [row.p_permutation for row in p]
    assert 0.02 < np.mean([q is not None and q <= 0.05 for q in flipped]) < 0.09


def test_single_runs_have_no_error_term():
    scale, design = (axis.ravel() for axis in np.indices((3, 5)))
    rng = np.random.default_rng(0)
    assert nested_anova(np.arange(15.0), scale, design, rng=rng) == ()
    exact = nested_anova(np.tile(np.arange(4.0), 2), np.tile([0, 0, 1, 1], 2),
                         np.tile([0, 1, 0, 1], 2), rng=rng)  # fmt: skip
    assert [row.f for row in exact] == [None, None, None]


def test_a_crossed_effect_of_two_levels_is_the_paired_t_test_over_replicates():
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, (2, 2, 12)) + rng.normal(0, 5, 12)
    rows = crossed_anova(values, rng=rng)
    contrasts = (
        values[0].mean(axis=0) - values[1].mean(axis=0),
        values[:, 0].mean(axis=0) - values[:, 1].mean(axis=0),
        values[0, 0] - values[0, 1] - values[1, 0] + values[1, 1],
    )
    for row, contrast in zip(rows, contrasts, strict=True):
        t, p = stats.ttest_1samp(contrast, 0.0)
        assert row.f == pytest.approx(t**2)  # pyright: ignore[reportOperatorIssue]
        assert row.p == pytest.approx(p)


def test_crossed_sums_add_up_to_the_whole():
    values = np.random.default_rng(5).normal(0, 1, (3, 4, 7))
    rows = crossed_anova(values, rng=np.random.default_rng(0))
    of_items = 12 * float(np.sum((values.mean(axis=(0, 1)) - values.mean()) ** 2))
    parts = sum(row.sum_of_squares + row.error_sum_of_squares for row in rows)
    assert parts + of_items == pytest.approx(np.sum((values - values.mean()) ** 2))
    assert [row.error_freedom for row in rows] == [12, 18, 36]


def test_turning_signs_keeps_its_level_where_cells_are_unequally_noisy():
    rng = np.random.default_rng(6)
    noise = np.geomspace(0.1, 10, 12).reshape(3, 4, 1)
    rows = [crossed_anova(noise * rng.normal(0, 1, (3, 4, 20)), rng=rng, draws=199)[2]
            for _ in range(300)]  # fmt: skip
    share = np.mean([row.p_permutation is not None and row.p_permutation <= 0.05 for row in rows])
    assert 0.02 < share < 0.085


def test_few_replicates_are_not_permuted():
    rng = np.random.default_rng(7)
    assert crossed_anova(rng.normal(0, 1, (2, 3, 4)), rng=rng)[2].p_permutation is None
    assert crossed_anova(rng.normal(0, 1, (2, 3, 1)), rng=rng) == ()


def test_values_of_videos_have_the_scores_as_their_means_and_their_noise():
    rng = np.random.default_rng(8)
    right = rng.integers(0, 2, (6, 90)).astype(float)
    clusters, categories = np.sort(rng.integers(0, 30, 90)), rng.integers(0, 3, 90)
    clusters = np.unique(clusters, return_inverse=True)[1]
    items = collect(right, clusters, categories, shape=(3, 2), unit=100.0)
    values = video_values(items)
    own = scores_under(items, np.ones((1, items.n_clusters)))[0]
    assert values.shape == (2, 3, items.n_clusters)
    np.testing.assert_allclose(values.mean(axis=2), own.T)
    weights = rng.multinomial(items.n_clusters, np.full(items.n_clusters, 1 / items.n_clusters),
                              size=4000).astype(float)  # fmt: skip
    drawn = scores_under(items, weights).std(axis=0).T
    np.testing.assert_allclose(values.std(axis=2) / np.sqrt(items.n_clusters), drawn, rtol=0.1)
