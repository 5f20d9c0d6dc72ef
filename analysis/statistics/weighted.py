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

from analysis.statistics.agreement import ordering
from analysis.statistics.scores import Scores, rounding_of

Statistic = Callable[[Scores, Scores, Scores], Scores]
# How many numbers an intermediate array may hold: few enough for a processor's cache.
ROOM = 100_000


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
    # A scale agrees with itself on every pair that does not tie in it.
    untied = _untied(counts, small) * _untied(counts, large)
    with np.errstate(invalid="ignore", divide="ignore"):
        return _concordance(counts, small, large) / np.sqrt(untied)


def decision_accuracy(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Decision accuracy of each resample over the pairs of distinct designs, a tie counting 1/2."""
    concordance = _concordance(counts, small, large)
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
    order = np.argsort(scores, axis=1, kind="stable")
    ordered, drawn = (np.take_along_axis(x, order, axis=1) for x in (scores, counts))
    upto = np.cumsum(drawn, axis=1)
    rises = np.diff(ordered, axis=1) > 0
    ends = np.ones((len(scores), 1), dtype=bool)
    # Of equal scores, the last says how many are drawn up to them, the first how many below them.
    last = np.where(np.hstack([rises, ends]), upto, np.inf)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    first = np.where(np.hstack([ends, rises]), upto - drawn, 0.0)
    first = np.maximum.accumulate(first, axis=1)
    ranks = np.empty_like(scores)
    np.put_along_axis(ranks, order, (first + last + 1.0) / 2.0, axis=1)
    return ranks


def _concordance(counts: Scores, small: Scores, large: Scores) -> Scores:
    """Pairs of distinct designs ordered alike less those ordered oppositely, of each resample."""
    if small.ndim == large.ndim == 1:
        orders = _matrix(small) * _matrix(large)
        return ((counts @ orders) * counts).sum(axis=-1) / 2.0
    total = np.zeros(len(counts))
    ties = rounding_of(small), rounding_of(large)
    for rows in chunks(len(counts), counts.shape[1]):
        drawn = counts[rows].astype(np.float32)
        s, t = (x[rows] if x.ndim > 1 else x[None] for x in (small, large))
        for i in range(counts.shape[1] - 1):
            votes = _signs(s, i, ties[0]) * _signs(t, i, ties[1])
            total[rows] += drawn[:, i] * np.sum(drawn[:, i + 1 :] * votes, axis=1)
    return total


def _untied(counts: Scores, scores: Scores) -> Scores:
    """Pairs of distinct designs that differ at a scale, of each resample."""
    if scores.ndim == 1 and not _close(scores):
        return (counts.sum(axis=-1) ** 2 - (counts**2).sum(axis=-1)) / 2.0
    return _concordance(counts, scores, scores)


def _close(scores: Scores) -> bool:
    """Whether two neighbours in order differ by rounding alone."""
    return bool(np.any(np.diff(np.sort(scores)) <= rounding_of(scores)))


def _signs(scores: Scores, i: int, tie: float) -> NDArray[np.float32]:
    """Order design i against every later one: 1 above, -1 below, 0 tied."""
    gaps = scores[:, i : i + 1] - scores[:, i + 1 :]
    return (gaps > tie).astype(np.float32) - (gaps < -tie)


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
