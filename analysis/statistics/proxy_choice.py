r"""Which proxy is enough, how agreement grows with its size, and how far all scales agree.

A proxy is a smaller scale that stands in for the largest. None stands for what is not defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.intervals import Interval
from analysis.statistics.scores import Scores

Criterion = Literal["decision_accuracy", "r2", "r2_within"]
# What a proxy has to be sure of: to order four of five pairs alike, and to explain half of the
# differences, overall and within blocks. Our choice; no study draws these lines.
TARGETS: Mapping[Criterion, float] = {"decision_accuracy": 0.8, "r2": 0.5, "r2_within": 0.5}


@dataclass(frozen=True)
class Enough:
    """The cheapest proxy whose lower bound clears the target; None: none of them does.

    `bounds` are all proxies' lower ends, cheapest first. `skipped` are dearer proxies that do not
    clear it: where there are any, more size did not help, and the choice may be luck.
    """

    criterion: Criterion
    target: float
    proxy: str | None
    bounds: dict[str, float | None]
    skipped: tuple[str, ...]


@dataclass(frozen=True)
class SizeTrend:
    r"""Least squares of R² on the logarithm of size: $R^2 = a \ln(\text{size}) + b$.

    `slope` is the rise per factor e in size (billions of parameters), with its t interval on
    `freedom` = points - 2 degrees of freedom; None below 1. `caution` says those two numbers. The
    interval knows the points' scatter about the line, not the noise of each R².
    """

    points: int
    freedom: int
    slope: float
    intercept: float
    slope_ci: Interval | None
    residual_sd: float | None
    caution: str


@dataclass(frozen=True)
class Concordance:
    """Kendall's W of m scales over n designs; `p` tests that scales rank at random."""

    scales: int
    n: int
    w: float
    chi2: float
    p: float


def smallest_enough(
    names: Sequence[str],
    costs: Sequence[float],
    bounds: Sequence[float | None],
    *,
    criterion: Criterion,
    target: float,
) -> Enough:
    """Pick the cheapest proxy whose lower bound reaches the target.

    A lower bound and not the value itself: a proxy that was lucky is not enough.

    Args:
        names, costs, bounds: of each proxy; costs in any unit, equal ones in the order given.
    """
    order: list[int] = np.argsort(np.asarray(costs, dtype=float), kind="stable").tolist()
    known = {names[i]: bounds[i] for i in order}
    clears = [name for name, bound in known.items() if bound is not None and bound >= target]
    first = clears[0] if clears else None
    dearer = list(known)[list(known).index(first) + 1 :] if first else []
    skipped = tuple(name for name in dearer if name not in clears)
    return Enough(criterion, target, first, known, skipped)


def size_trend(sizes: Scores, r2: Scores) -> SizeTrend | None:
    """Fit R² against a target on the logarithm of the proxies' sizes.

    Source: the form is the Apollo paper's (arXiv 2412.10360), which prints 0.12 ln B + 0.78.

    Args:
        sizes: billions of parameters, shape (points,).
        r2: of each proxy with the target, shape (points,).

    Returns:
        None for fewer than two different sizes.
    """
    if np.unique(sizes).size < 2:
        return None
    x = np.log(sizes)
    gap, freedom = x - x.mean(), sizes.size - 2
    slope = float(gap @ r2 / (gap @ gap))
    intercept = float(r2.mean() - slope * x.mean())
    caution = f"{sizes.size} points, {freedom} degree{'' if freedom == 1 else 's'} of freedom"
    if freedom < 1:
        return SizeTrend(sizes.size, freedom, slope, intercept, None, None, caution)
    residual = float(np.sqrt(np.sum((r2 - intercept - slope * x) ** 2) / freedom))
    half = float(stats.t.ppf(0.975, freedom)) * residual / float(np.sqrt(gap @ gap))
    ci = (slope - half, slope + half)
    return SizeTrend(sizes.size, freedom, slope, intercept, ci, residual, caution)


def concordance(scores: NDArray[np.float64]) -> Concordance | None:
    r"""Kendall's W over all scales at once, ties sharing their mean rank.

    $W = \frac{12 \sum_i R_i^2 - 3 m^2 n (n + 1)^2}{m^2 n (n^2 - 1) - m \sum_j T_j}$ with R the sum
    of a design's ranks and $T_j = \sum (t^3 - t)$ over scale j's groups of t tied designs; 1: all
    scales rank alike, 1/m or so: at random. $\chi^2 = m (n - 1) W$ on n - 1 degrees of freedom.

    Source: Kendall and Babington Smith (1939); Siegel and Castellan (1988), section 9.3, for ties.

    Args:
        scores: shape (designs, scales), no gaps.

    Returns:
        None for fewer than two designs or scales, or where all designs tie at every scale.
    """
    n, m = scores.shape
    if min(n, m) < 2:
        return None
    ranks = stats.rankdata(scores, axis=0)
    ties = sum(float(np.sum(t**3 - t)) for t in (_tie_sizes(column) for column in scores.T))
    below = m * m * n * (n * n - 1.0) - m * ties
    if below <= 0:
        return None
    above = 12.0 * float(np.sum(ranks.sum(axis=1) ** 2)) - 3.0 * m * m * n * (n + 1.0) ** 2
    w = above / below
    chi2 = m * (n - 1.0) * w
    return Concordance(m, n, w, chi2, float(stats.chi2.sf(chi2, n - 1)))


def _tie_sizes(column: Scores) -> Scores:
    return np.unique(column, return_counts=True)[1].astype(float)
