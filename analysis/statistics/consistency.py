r"""How well scores at a small scale foretell scores at a large one, for the same designs.

Every function is pure: two score arrays of the same n designs in the same order, shape (n,), in the
metric's own units (written `points` below). None stands for a value that is not defined (too few
designs, a constant column); callers say why. The sample correlation is written r.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.agreement import pair_agreement
from analysis.statistics.intervals import fisher_interval
from analysis.statistics.scores import ROUNDING, Scores, is_constant


@dataclass(frozen=True)
class Line:
    """The least-squares line large = slope * small + intercept; points per point, and points."""

    slope: float
    intercept: float


@dataclass(frozen=True)
class Within:
    """Agreement inside blocks: what is left when differences between blocks are taken away.

    `n` designs in `blocks` blocks count; designs alone in their block say nothing and are dropped.
    """

    n: int
    blocks: int
    r2: float | None
    pearson: float | None
    pearson_ci: tuple[float, float] | None
    decision_accuracy: float | None


def pearson(small: Scores, large: Scores) -> float | None:
    r"""Pearson's r $= \sum \tilde s_i \tilde l_i / \sqrt{\sum \tilde s_i^2 \sum \tilde l_i^2}$.

    Tildes are deviations from the mean. Its square is the R² of the least-squares line with
    intercept, which says nothing about the sign: a perfect reversal has R² = 1 too.
    """
    if small.size < 2 or is_constant(small) or is_constant(large):
        return None
    # Dividing by the spread first keeps tiny and huge units from under- or overflowing.
    x = (small - small.mean()) / np.ptp(small)
    y = (large - large.mean()) / np.ptp(large)
    return float(np.clip((x @ y) / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def fit_line(small: Scores, large: Scores) -> Line | None:
    """Ordinary least squares of the large scale's scores on the small scale's."""
    if small.size < 2 or is_constant(small):
        return None
    x = (small - small.mean()) / np.ptp(small)
    slope = float((x @ (large - large.mean())) / (x @ x) / np.ptp(small))
    return Line(slope, float(large.mean() - slope * small.mean()))


def spearman(small: Scores, large: Scores) -> float | None:
    """Spearman's rank correlation: Pearson's r of the ranks, ties sharing their mean rank."""
    return pearson(stats.rankdata(small), stats.rankdata(large)) if small.size >= 2 else None


def kendall(small: Scores, large: Scores) -> float | None:
    r"""Kendall's tau-b $= (C - D) / \sqrt{(C + D + T_s)(C + D + T_l)}$.

    C and D count concordant and discordant pairs, T those tied at one scale only.
    Source: Kendall (1945), as in `scipy.stats.kendalltau`.
    """
    if small.size < 2 or is_constant(small) or is_constant(large):
        return None
    tau, _ = stats.kendalltau(small, large)
    return float(tau)  # pyright: ignore[reportArgumentType]  (scipy's result type is untyped)


def within_blocks(small: Scores, large: Scores, blocks: NDArray[np.intp]) -> Within:
    """Compare the scales with each block's mean subtracted at each scale.

    Pooled agreement may come from a few blocks (data mixtures, say) that differ at every scale
    while the choices inside a block do not transfer; this is what is left for those choices.
    Decision accuracy counts only pairs of one block. The interval holds the block means fixed.

    Args:
        small, large: scores, shape (n,).
        blocks: the block of each design, any integers, shape (n,).
    """
    _, code, count = np.unique(blocks, return_inverse=True, return_counts=True)
    keep = count[code] > 1
    _, code = np.unique(code[keep], return_inverse=True)
    small, large = small[keep], large[keep]
    n, n_blocks = int(keep.sum()), int(code.max(initial=-1)) + 1
    s, t = _deviations(small, code), _deviations(large, code)
    r = pearson(s, t)
    i, j = np.triu_indices(n, k=1)
    together = code[i] == code[j]
    agreement = pair_agreement(small, large)
    return Within(
        n=n,
        blocks=n_blocks,
        r2=None if r is None else r * r,
        pearson=r,
        pearson_ci=None if r is None else fisher_interval(r, n, controls=n_blocks - 1),
        decision_accuracy=float(agreement[together].mean()) if together.any() else None,
    )


def _deviations(scores: Scores, code: NDArray[np.intp]) -> Scores:
    """Subtract each block's mean; what is only rounding becomes an exact 0."""
    if scores.size == 0:
        return scores
    means = np.bincount(code, weights=scores) / np.bincount(code)
    rest = scores - means[code]
    rest[np.abs(rest) <= ROUNDING * np.max(np.abs(scores))] = 0.0
    return rest


def not_above_chance(scores: Scores, chance: float) -> bool:
    """Tell whether the designs' mean is within two standard errors of chance, or below it.

    The standard error is the designs' spread over sqrt(n): a scale at which all designs guess
    scatters around chance, whatever a single design shows.
    """
    if scores.size < 2:
        return bool(scores.size and scores[0] <= chance)
    error = float(scores.std(ddof=1)) / np.sqrt(scores.size)
    return bool(scores.mean() - chance <= 2.0 * error)
