r"""Scores of one metric as a function of how much each video counts.

Items of one video share its luck, so videos are the clusters that are resampled, split in halves
and summed over. A cell is one design at one scale; its score is the unweighted mean over categories
of the share of right answers, times `unit`. The same videos serve every cell, which keeps designs
paired and scales paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.scores import Scores

# Sums of the same answers in another order differ in their last bits; designs that tie must tie.
DECIMALS = 9


@dataclass(frozen=True)
class Category:
    """Right answers in one category.

    Attributes:
        clusters: the videos that have items in this category, shape (c,).
        right: sum over a video's items of the share of seeds that got it right, shape (cells, c).
        items: how many of a video's items the cell answered, shape (cells, c).
    """

    clusters: NDArray[np.intp]
    right: Scores
    items: Scores


@dataclass(frozen=True)
class ItemScores:
    """All answers to one metric; cells are designs x scales, row by row.

    Attributes:
        shape: numbers of designs and of scales.
        n_clusters, n_items: numbers of videos (where none are named: of items) and of items.
        unit: score of a cell that gets everything right: 1 or 100.
    """

    shape: tuple[int, int]
    n_clusters: int
    n_items: int
    categories: tuple[Category, ...]
    unit: float


def collect(
    right: Scores,
    clusters: NDArray[np.intp],
    categories: NDArray[np.intp],
    *,
    shape: tuple[int, int],
    unit: float,
) -> ItemScores:
    """Sum up answers per cell, category and video.

    Args:
        right: share of seeds that answered right, NaN where not asked, shape (cells, items).
        clusters, categories: the video and the category of each item, from 0, shape (items,).
    """
    found: list[Category] = []
    for category in np.unique(categories):
        of = categories == category
        names, code = np.unique(clusters[of], return_inverse=True)
        # Items of a video beside each other: sums of runs, where a table of who belongs to whom
        # would be items x videos large.
        own = right[:, np.flatnonzero(of)[np.argsort(code, kind="stable")]]
        starts = np.searchsorted(np.sort(code), np.arange(names.size))
        counts = np.add.reduceat(np.isfinite(own).astype(float), starts, axis=1)
        found.append(Category(names, np.add.reduceat(np.nan_to_num(own), starts, axis=1), counts))
    n_clusters = int(clusters.max(initial=-1)) + 1
    return ItemScores(shape, n_clusters, right.shape[1], tuple(found), unit)


def scores_under(items: ItemScores, weights: Scores) -> Scores:
    """Score every cell with each video counting `weights` times.

    A category none of whose videos count is left out of the mean over categories, for all cells
    alike. A cell that has no answer in a category that does count has no score (NaN).

    Args:
        weights: shape (draws, n_clusters).

    Returns:
        shape (draws, designs, scales).
    """
    total = np.zeros((len(weights), items.shape[0] * items.shape[1]))
    used = np.zeros(len(weights))
    for category in items.categories:
        w = weights[:, category.clusters]
        # One row of denominators serves all cells where every cell was asked everything.
        uniform = (category.items == category.items[0]).all()
        asked = w @ (category.items[:1] if uniform else category.items).T
        counted = asked.max(axis=1) > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (w @ category.right.T) / asked
        total[counted] += share[counted]
        used += counted
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = np.round(items.unit * total / used[:, None], DECIMALS)
    return scores.reshape(len(weights), *items.shape)


def resample(items: ItemScores, rng: np.random.Generator, draws: int) -> Scores:
    """Score every cell in each of so many resamples of the videos: (draws, designs, scales)."""
    n = items.n_clusters
    scores = np.empty((draws, *items.shape))
    for start in range(0, draws, 1000):
        step = min(1000, draws - start)
        weights = cluster_counts(rng, n, step)
        scores[start : start + step] = scores_under(items, weights)
    return scores


def cluster_counts(rng: np.random.Generator, n: int, draws: int) -> Scores:
    """Draw n of n with replacement, `draws` times; return how often each came, (draws, n)."""
    drawn = rng.integers(0, n, size=(draws, n), dtype=np.int64)
    drawn += n * np.arange(draws, dtype=np.int64)[:, None]
    return np.bincount(drawn.ravel(), minlength=draws * n).reshape(draws, n).astype(np.float64)


def influence(items: ItemScores) -> Scores:
    r"""How much each video moves each cell's score; products of rows are covariances of scores.

    $\psi_v = \frac{\text{unit}}{K} \sum_k (R_{vk} - p_k N_{vk}) / N_k$ over the K categories, with
    R right answers, N items and $p_k$ the category's share; then $\operatorname{cov}(a, b) =
    \sum_v \psi_v^a \psi_v^b$, here already with the factor V / (V - 1) for V videos.

    Source: the linearised ratio estimator for clusters, Cochran (1977), sections 6.3 and 9A.

    Returns:
        shape (designs, scales, n_clusters), in the metric's units; NaN for a cell without score.
    """
    moved = np.zeros((items.shape[0] * items.shape[1], items.n_clusters))
    for category in items.categories:
        asked = category.items.sum(axis=1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = category.right.sum(axis=1, keepdims=True) / asked
            moved[:, category.clusters] += (category.right - share * category.items) / asked
    factor = items.unit / len(items.categories)
    if items.n_clusters > 1:
        factor *= np.sqrt(items.n_clusters / (items.n_clusters - 1))
    return factor * moved.reshape(*items.shape, items.n_clusters)
