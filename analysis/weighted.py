"""Agreement statistics of many resampled tables at once.

A resample is written as counts: how often each of the n designs was drawn, shape (draws, n). All
ones is the table itself, and all ones but one a jackknife table. Scores are of shape (n,), the same
in every resample, or (draws, n), each resample having its own. Every function returns (draws,), NaN
where a resample leaves the statistic undefined (all of its designs equal, say).

A design drawn twice forms a pair with its own copy. That pair would count as agreement whatever
the data are, so it counts as no pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from analysis.agreement import ordering
from analysis.scores import Scores, rounding_of

Statistic = Callable[[Scores, Scores, Scores], Scores]
# How many numbers an intermediate array may hold: 64 MB of them.
ROOM = 8_000_000


def pearson(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Pearson's r of each resample, as `consistency.pearson` is of one table."""
    small_square, large_square, product = _moments(counts, small, large)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(product / np.sqrt(small_square * large_square), -1.0, 1.0)


def slope(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Least-squares slope of large on small of each resample, points per point."""
    small_square, _, product = _moments(counts, small, large)
    with np.errstate(invalid="ignore", divide="ignore"):
        return product / small_square


def spearman(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Spearman's rank correlation of each resample; copies of a design tie with each other."""
    return pearson(counts, _ranks(counts, small), _ranks(counts, large))


def kendall(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Kendall's tau-b of each resample over the pairs of distinct designs."""
    concordance, small_split, large_split = _pair_sums(counts, small, large)
    with np.errstate(invalid="ignore", divide="ignore"):
        return concordance / np.sqrt(small_split * large_split)


def decision_accuracy(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Decision accuracy of each resample over the pairs of distinct designs, a tie counting 1/2."""
    concordance, _, _ = _pair_sums(counts, small, large)
    pairs = (counts.sum(axis=-1) ** 2 - (counts**2).sum(axis=-1)) / 2.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return 0.5 + 0.5 * concordance / pairs


STATISTICS: Mapping[str, Statistic] = {
    "pearson": pearson,
    "spearman": spearman,
    "kendall": kendall,
    "decision_accuracy": decision_accuracy,
    "slope": slope,
}
# Means of values; the others are means over pairs or ranks, whose bootstrap is wide enough.
OF_MOMENTS = frozenset({"pearson", "slope"})


def _moments(counts: Scores, small: Scores, large: Scores) -> tuple[Scores, Scores, Scores]:
    """Sums of squared deviations of both scales and of their products; a constant scale gives 0."""
    total = counts.sum(axis=-1)
    x, x_square = _centred(counts, total, small)
    y, y_square = _centred(counts, total, large)
    return x_square, y_square, np.einsum("bi,bi,bi->b", counts, x, y)


def _centred(counts: Scores, total: Scores, scores: Scores) -> tuple[Scores, Scores]:
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.sum(counts * scores, axis=-1) / total
        deviations = scores - mean[:, None]
    square = np.einsum("bi,bi,bi->b", counts, deviations, deviations)
    # What rounding leaves of a constant column would otherwise divide into any correlation.
    square[square <= total * rounding_of(scores) ** 2] = 0.0
    return deviations, square


def _ranks(counts: Scores, scores: Scores) -> Scores:
    """Mean rank of each design within each resample, from 1, shape (draws, n)."""
    if scores.ndim == 1:
        below = (scores[None, :] < scores[:, None]).astype(float)
        equal = (scores[None, :] == scores[:, None]).astype(float)
        return counts @ below.T + (counts @ equal.T + 1.0) / 2.0
    ranks = np.empty_like(scores)
    for rows in chunks(len(scores), scores.shape[1] ** 2):
        part = scores[rows]
        below = (part[:, None, :] < part[:, :, None]).astype(np.float32)
        equal = (part[:, None, :] == part[:, :, None]).astype(np.float32)
        drawn = counts[rows].astype(np.float32)
        ranks[rows] = np.einsum("bij,bj->bi", below + equal / 2, drawn) + 0.5
    return ranks


def _pair_sums(counts: Scores, small: Scores, large: Scores) -> tuple[Scores, Scores, Scores]:
    """Concordant less discordant pairs, and the pairs not tied at each scale, of each resample."""
    if small.ndim == large.ndim == 1:
        orders = (_matrix(small), _matrix(large))
        products = (orders[0] * orders[1], np.abs(orders[0]), np.abs(orders[1]))
        first, second, third = (((counts @ p) * counts).sum(axis=-1) / 2.0 for p in products)
        return first, second, third
    n = counts.shape[1]
    i, j = np.triu_indices(n, k=1)
    sums = np.empty((3, len(counts)))
    for rows in chunks(len(counts), i.size):
        s, t = (ordering(x[rows] if x.ndim > 1 else x) for x in (small, large))
        weights = counts[rows][:, i] * counts[rows][:, j]
        for place, votes in enumerate((s * t, np.abs(s), np.abs(t))):
            sums[place, rows] = np.sum(weights * votes, axis=-1)
    return sums[0], sums[1], sums[2]


def _matrix(scores: Scores) -> Scores:
    """Order of every two designs as an n x n matrix, 0 on the diagonal: no pair with itself."""
    n = scores.size
    i, j = np.triu_indices(n, k=1)
    matrix = np.zeros((n, n))
    matrix[i, j] = ordering(scores)
    return matrix - matrix.T


def chunks(draws: int, width: int) -> list[slice]:
    """Cut the draws into pieces whose arrays of `width` numbers a draw fit into `ROOM`."""
    step = max(1, ROOM // max(1, width))
    return [slice(start, min(start + step, draws)) for start in range(0, draws, step)]


def table_and_jackknife(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of the table itself, shape (1, n), and of the n tables that lack one design."""
    return np.ones((1, n)), np.ones((n, n)) - np.eye(n)
