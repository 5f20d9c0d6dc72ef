r"""What a level does: its scores less those of a reference level, paired, with an interval.

A *context* is everything but the axis: two designs of one context differ in nothing but the level.
Scores are in the metric's units ("points"). None stands for what is not defined, and
`not_testable` says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.intervals import Interval
from analysis.statistics.noise import joint_freedom
from analysis.statistics.scores import Scores, rounding_of

Source = Literal["contexts", "seeds", "items"]
NotTestable = Literal["one context and neither seeds nor items", "no spread at all"]


@dataclass(frozen=True)
class Variance:
    """A variance in points squared with the degrees of freedom that it was estimated from."""

    value: float
    freedom: float


@dataclass(frozen=True)
class PairedEffect:
    """A mean difference over `n` contexts in points; `error` says what its noise was read from."""

    n: int
    effect: float
    se: float | None
    freedom: float | None
    ci: Interval | None
    p: float | None
    error: tuple[Source, ...]
    not_testable: NotTestable | None


def paired_effect(
    differences: Scores,
    *,
    seeds: Sequence[Variance] = (),
    influence: Scores | None = None,
) -> PairedEffect:
    r"""Mean of a level's differences to the reference level, with a t interval and test.

    With m >= 2 contexts the error is what the contexts show, $s_d^2 / m$ on m - 1 degrees of
    freedom: their spread holds the seeds' noise and the items' as far as contexts do not share it.
    What they share is added, $\sum_{c \ne c'} \sum_v \psi_v^c \psi_v^{c'} / (m (m - 1))$. With one
    context the error is its seeds' variance plus its items', $\sum_v \psi_v^2$. Degrees of freedom
    of a sum are Satterthwaite's.

    Source: Student (1908) for pairs; Miller (2024), arXiv 2411.00640, for items.

    Args:
        differences: level less reference in each context, shape (m,), m >= 1.
        seeds: variance of each context's difference by seeds, or none known.
        influence: of each video on each difference (`item_scores.influence`), shape (m, videos).
    """
    m, effect = differences.size, float(differences.mean())
    parts: dict[Source, Variance] = {}
    if m > 1:
        parts["contexts"] = Variance(float(differences.var(ddof=1)) / m, m - 1.0)
    elif seeds:
        parts["seeds"] = seeds[0]
    # One video tells nothing of what another would have shown.
    if influence is not None and influence.shape[1] > 1:
        parts["items"] = Variance(_item_variance(influence), influence.shape[1] - 1.0)
    if not parts:
        reason: NotTestable = "one context and neither seeds nor items"
        return PairedEffect(m, effect, None, None, None, None, (), reason)
    total = sum(part.value for part in parts.values())
    if total <= rounding_of(differences) ** 2:
        return PairedEffect(m, effect, None, None, None, None, tuple(parts), "no spread at all")
    se = float(np.sqrt(total))
    freedom = joint_freedom([(part.value, part.freedom) for part in parts.values()])
    half = se * float(stats.t.ppf(0.975, freedom))
    p = 2.0 * float(stats.t.sf(abs(effect) / se, freedom))
    ci = (effect - half, effect + half)
    return PairedEffect(m, effect, se, freedom, ci, p, tuple(parts), None)


def paired_seed_variance(runs: Scores) -> Variance | None:
    r"""Variance of one run once its design and its seed are taken away, pooled over designs.

    $\sum_{jk} (x_{jk} - \bar x_{j\cdot} - \bar x_{\cdot k} + \bar x)^2 / ((b - 1)(K - 1))$: the
    residual of randomised blocks. Designs of one seed share their initialisation and their
    order of data, and what that moves in all of them moves no difference. A difference of two
    designs' means over the K seeds has twice this over K.

    Source: Fisher (1935), randomised blocks.

    Args:
        runs: scores of b designs with the same K seeds at one scale, shape (b, K).

    Returns:
        Points squared; None for fewer than two designs or two seeds.
    """
    if min(runs.shape) < 2:
        return None
    rest = runs - runs.mean(axis=1, keepdims=True) - runs.mean(axis=0, keepdims=True) + runs.mean()
    freedom = (runs.shape[0] - 1.0) * (runs.shape[1] - 1.0)
    return Variance(float(np.sum(rest**2)) / freedom, freedom)


def holm(p: Sequence[float | None]) -> list[float | None]:
    r"""Holm's adjusted p values: $\tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1) p_{(j)})$.

    Rejecting where they are at most .05 keeps the chance of any false claim among the m at 5 %,
    under any dependence. None (not tested) stays None and does not count.

    Source: Holm (1979).
    """
    known = [i for i, value in enumerate(p) if value is not None]
    values = np.array([value for value in p if value is not None])
    order = np.argsort(values, kind="stable")
    steps = np.minimum(1.0, values[order] * np.arange(values.size, 0, -1))
    adjusted: list[float | None] = [None] * len(p)
    for place, value in zip(order, np.maximum.accumulate(steps), strict=True):
        adjusted[known[place]] = float(value)
    return adjusted


def _item_variance(influence: NDArray[np.float64]) -> float:
    """Item variance of the mean that the spread over contexts does not show (all of it for one)."""
    m = len(influence)
    own = float(np.sum(influence**2))
    if m == 1:
        return own
    together = float(np.sum(influence.sum(axis=0) ** 2))
    return max(0.0, (together - own) / (m * (m - 1)))
