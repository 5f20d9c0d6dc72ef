r"""Where pooled agreement comes from: blocks, single levels, single designs, the bad designs.

Two score arrays of the same n designs, shape (n,), in points. None stands for what is not defined.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.consistency import pearson, within_blocks
from analysis.statistics.intervals import Interval, fisher_interval
from analysis.statistics.scores import Scores, is_constant

Groups = NDArray[np.intp]
# Below this, r of a part is a line through its points.
FEWEST = 3
WORST_SHARE = 0.2


@dataclass(frozen=True)
class Decomposition:
    r"""Agreement between and within the groups of one column.

    `eta2` is the share of the variance between designs that lies between groups, at either scale;
    `between_share` the share of their covariance: $\sum_g n_g \bar s_g \bar l_g / \sum \tilde s_i
    \tilde l_i$ with means and scores less the grand mean. Near 1: the pooled R² is about groups.
    `r2_between` is R² of the group means over `groups` groups, `r2_within` that of scores less
    their group's mean over `n_within` designs.
    """

    groups: int
    n_within: int
    r2_between: float | None
    r2_within: float | None
    eta2_small: float | None
    eta2_large: float | None
    between_share: float | None


@dataclass(frozen=True)
class Partial:
    """Correlation of two scales with the columns `controls` held fixed (additively)."""

    controls: tuple[str, ...]
    n: int
    r: float | None
    ci: Interval | None


@dataclass(frozen=True)
class LeftOut:
    """R² without one part of the designs, pooled and within each block column."""

    left_out: str
    n: int
    r2: float | None
    within: dict[str, float | None]


@dataclass(frozen=True)
class Range:
    """Smallest and largest value over what is left out in turn, and what does it."""

    low: float | None
    high: float | None
    lowest_without: str | None
    highest_without: str | None


def decompose(small: Scores, large: Scores, groups: Groups) -> Decomposition:
    """Split the agreement of two scales into that between and that within groups.

    Source: the analysis of covariance; Robinson (1950) on why the parts differ.
    """
    names, code, count = np.unique(groups, return_inverse=True, return_counts=True)
    means = [np.bincount(code, weights=scores) / count for scores in (small, large)]
    within = within_blocks(small, large, groups)
    s, t = (mean - scores.mean() for mean, scores in zip(means, (small, large), strict=True))
    total = float((small - small.mean()) @ (large - large.mean()))
    r = pearson(means[0], means[1]) if names.size >= FEWEST else None
    return Decomposition(
        groups=int(names.size),
        n_within=within.n,
        r2_between=None if r is None else r * r,
        r2_within=within.r2,
        eta2_small=_eta2(small, s, count),
        eta2_large=_eta2(large, t, count),
        between_share=float(np.sum(count * s * t)) / total if total else None,
    )


def partial_correlation(small: Scores, large: Scores, columns: Mapping[str, Groups]) -> Partial:
    r"""Pearson's r of what is left of both scales after fitting a mean per level of every column.

    With one column it is r within its blocks. The interval is Fisher's with the number of fitted
    parameters less one as controls.

    Args:
        columns: name -> level of each design, from 0.
    """
    levels = [np.ones((small.size, 1))]
    levels += [(code[:, None] == np.unique(code)[1:]).astype(float) for code in columns.values()]
    design = np.concatenate(levels, axis=1)
    controls = int(np.linalg.matrix_rank(design)) - 1 if small.size else 0
    if small.size - controls <= 2:
        return Partial(tuple(columns), small.size, None, None)
    s, t = (_residuals(design, scores) for scores in (small, large))
    r = pearson(s, t)
    interval = None if r is None else fisher_interval(r, small.size, controls=controls)
    return Partial(tuple(columns), small.size, r, interval)


def without(
    small: Scores, large: Scores, kept: NDArray[np.bool_], blocks: Mapping[str, Groups], name: str
) -> LeftOut:
    """Compute R² of the designs kept, pooled and within each block column."""
    s, t = small[kept], large[kept]
    r = pearson(s, t) if s.size >= FEWEST else None
    inside = {block: within_blocks(s, t, code[kept]).r2 for block, code in blocks.items()}
    return LeftOut(name, int(s.size), None if r is None else r * r, inside)


def range_of(parts: Sequence[LeftOut]) -> Range:
    """Find the smallest and largest R² among the parts."""
    known = [(part.r2, part.left_out) for part in parts if part.r2 is not None]
    if not known:
        return Range(None, None, None, None)
    (low, lowest), (high, highest) = min(known), max(known)
    return Range(low, high, lowest, highest)


def upper_parts(small: Scores) -> dict[str, NDArray[np.bool_]]:
    """Mark the designs without the worst fifth, and the upper half, as the small scale sees them.

    By the small scale, since that is what a study knows when it drops designs; ties at the cut
    stay. Higher is better.
    """
    ranks = np.sort(small)
    cuts = {
        "worst 20 %": int(np.floor(WORST_SHARE * small.size)),
        "lower half": small.size // 2,
    }
    return {name: small >= ranks[cut] for name, cut in cuts.items()} if small.size else {}


def _eta2(scores: Scores, means: Scores, count: NDArray[np.intp]) -> float | None:
    total = float(np.sum((scores - scores.mean()) ** 2))
    return float(np.sum(count * means**2)) / total if not is_constant(scores) else None


def _residuals(design: Scores, scores: Scores) -> Scores:
    """Take the fitted levels away; what is only rounding becomes an exact 0."""
    if is_constant(scores):
        return np.zeros_like(scores)
    scaled = (scores - scores.mean()) / np.ptp(scores)
    fitted = design @ np.linalg.lstsq(design, scaled, rcond=None)[0]
    rest = scaled - fitted
    return np.where(np.abs(rest) <= 1e-12, 0.0, rest)
