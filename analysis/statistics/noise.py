r"""How much of the differences between designs is luck of seeds and items.

Scores are in the metric's units ("points"). The noise of a cell (a design at a scale) is the
standard error of its mean score; noise that all designs share (a hard set of items) moves no
difference between them and does not count against reliability.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.item_scores import ItemScores
from analysis.statistics.scores import Scores

# A mean over more seeds than this is as good as normal, whatever its residuals are.
MANY_SEEDS = 30


@dataclass(frozen=True)
class SeedNoise:
    """What replicates tell.

    Attributes:
        variance: of each cell's mean over its seeds, from the pooled variance of its scale, points
            squared, shape (designs, scales); 0 where a scale has no replicates.
        freedom: degrees of freedom behind each scale's pooled variance, shape (scales,).
        replicates: number of seeds of each cell, shape (designs, scales).
        residuals: per scale, deviations of single runs that have the pooled variance.
    """

    variance: Scores
    freedom: Scores
    replicates: NDArray[np.intp]
    residuals: tuple[Scores, ...]


@dataclass(frozen=True)
class MetricNoise:
    """What is known of the noise of one metric's cells; None: nothing.

    `influence` is that of each video on each cell, shape (designs, scales, videos), NaN for a cell
    that the item table lacks.
    """

    seeds: SeedNoise | None
    items: ItemScores | None
    influence: Scores | None


def seed_noise(
    scores: Scores, cell: NDArray[np.intp], *, shape: tuple[int, int]
) -> SeedNoise | None:
    r"""Pool the variance over seeds of a scale: $s^2 = \sum (x - \bar x_{cell})^2 / \sum (k-1)$.

    Two or three seeds say little about one cell's spread; all cells of a scale together say more,
    at the price of taking their spreads as equal. A cell's mean has variance $s^2 / k$.

    Args:
        scores: single runs, shape (runs,).
        cell: design * number of scales + scale of each run, shape (runs,).
        shape: numbers of designs and scales.

    Returns:
        None where no cell has two runs.
    """
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    means = np.bincount(cell, weights=scores, minlength=count.size) / np.maximum(count, 1)
    gaps, scale, k = scores - means[cell], cell % shape[1], count[cell]
    residuals: list[Scores] = []
    freedom, pooled = np.zeros(shape[1]), np.zeros(shape[1])
    for at in range(shape[1]):
        repeated = (scale == at) & (k > 1)
        freedom[at] = np.sum(np.maximum(count.reshape(shape)[:, at] - 1, 0))
        if not freedom[at]:
            residuals.append(np.zeros(1))
            continue
        pooled[at] = np.sum(gaps[repeated] ** 2) / freedom[at]
        # A mean over k seeds draws its runs together by (k - 1) / k; undo it, then pool.
        spread = gaps[repeated] * np.sqrt(k[repeated] / (k[repeated] - 1))
        size = np.sqrt(np.mean(spread**2))
        sized = np.sort(spread) * np.sqrt(pooled[at]) / size if size > 0 else np.zeros(1)
        residuals.append(sized)
    if not freedom.any():
        return None
    replicates = count.reshape(shape)
    return SeedNoise(pooled / np.maximum(replicates, 1), freedom, replicates, tuple(residuals))


def resample_seeds(noise: SeedNoise, rng: np.random.Generator, draws: int) -> Scores:
    """Draw the error of every cell's mean over its seeds: shape (draws, designs, scales), points.

    A cell of k seeds gets the mean of k residuals drawn from its scale. Seeds are taken as
    independent between cells, which overstates the noise of differences where seeds are paired.
    """
    n, scales = noise.replicates.shape
    errors = np.zeros((draws, n, scales))
    for at, residuals in enumerate(noise.residuals):
        for k in np.unique(noise.replicates[:, at]):
            cells = np.flatnonzero(noise.replicates[:, at] == k)
            errors[:, cells, at] = _means(residuals, int(k), rng, (draws, cells.size))
    return errors


def _means(residuals: Scores, k: int, rng: np.random.Generator, shape: tuple[int, int]) -> Scores:
    """Means of k residuals each; of many, normal ones of the same variance."""
    if k > MANY_SEEDS:
        return rng.normal(scale=np.sqrt(np.mean(residuals**2) / k), size=shape)
    total = np.zeros(shape)
    for _ in range(k):
        total += rng.choice(residuals, size=shape)
    return total / max(k, 1)


def difference_variance(seeds: Scores | None, influence: Scores | None) -> Scores:
    r"""Variance of the difference of every two designs at one scale, n x n, points squared.

    $v_i + v_j + \sum_v (\psi_v^i - \psi_v^j)^2$: seeds are independent, items are shared.

    Args:
        seeds: variance of each design's mean, shape (n,).
        influence: of each video on each design's score, shape (n, videos).
    """
    of_seeds = 0.0 if seeds is None else seeds[:, None] + seeds[None, :]
    if influence is None:
        return np.asarray(of_seeds)
    product = influence @ influence.T
    own = np.diag(product)
    return np.maximum(of_seeds + own[:, None] + own[None, :] - 2.0 * product, 0.0)


def unshared(influence_small: Scores, influence_large: Scores) -> float:
    """Mean covariance of a design's own item noise at two scales (or one, twice), points squared.

    The mean over designs of a design's covariance with itself, less that with other designs, which
    is the noise they share.
    """
    product = influence_small @ influence_large.T
    n = len(product)
    own = float(np.trace(product)) / n
    return own - (float(product.sum()) - own * n) / (n * (n - 1)) if n > 1 else own


def joint_freedom(parts: list[tuple[float, float]]) -> float:
    r"""Degrees of freedom of a sum of variances: $(\sum v)^2 / \sum (v^2 / f)$.

    Source: Satterthwaite (1946). `parts` are pairs (variance, its degrees of freedom).
    """
    total = sum(variance for variance, _ in parts)
    below = sum(variance**2 / freedom for variance, freedom in parts if freedom > 0)
    return total**2 / below if below > 0 else float("inf")
