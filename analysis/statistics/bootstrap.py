r"""How far agreement between two scales would move with other designs, items and seeds.

Three things were drawn by chance. The designs stand for all that could have been tried; the items
for all that could have been asked (whole videos at a time, the same ones for all designs and
scales, so that differences stay paired); the seeds for all that could have been run. Each part is
drawn alone and all are drawn together. Drawing designs already carries the noise of their own seeds
along, so that "all" counts that noise twice and errs on the wide side.

Designs that share a block (a data mixture) are not independent draws. The crossed bootstrap draws
blocks and configurations (what is left of a design without its block) each with replacement, and a
design counts as often as its block times its configuration: the pigeonhole bootstrap of Owen
(2007), which errs on the wide side but for few blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import weighted
from analysis.statistics.intervals import (
    Interval,
    bca_interval,
    percentile_interval,
    square_interval,
)
from analysis.statistics.item_scores import cluster_counts
from analysis.statistics.scores import Scores

# What is told of each part; the plain bootstrap tells of all of `weighted.STATISTICS`.
PARTS = ("pearson", "spearman", "decision_accuracy")
Even = Literal["artanh", "arcsin"]


@dataclass(frozen=True)
class Spread:
    """How far a statistic moves under one kind of resampling: standard error and interval."""

    se: float | None
    ci: Interval | None


def design_bootstrap(
    small: Scores, large: Scores, rng: np.random.Generator, draws: int
) -> dict[str, Spread]:
    """Resample designs as if independent: BCa intervals of every statistic, and of r2."""
    counts = cluster_counts(rng, small.size, draws)
    # With the table itself and the jackknife's, so that designs are put in order once for all.
    tables = np.concatenate([counts, *weighted.table_and_jackknife(small.size)])
    found: dict[str, Spread] = {}
    for name, statistic in weighted.STATISTICS.items():
        values, at, left_out = np.split(statistic(tables, small, large), [draws, draws + 1])
        _add(found, name, values, _design_interval(name, values, float(at[0]), left_out))
    return found


def joint_bootstrap(
    small: Scores,
    large: Scores,
    errors: tuple[Scores, Scores],
    rng: np.random.Generator,
    draws: int,
) -> dict[str, Spread]:
    """Resample designs together with the errors of their cells: BCa intervals.

    The errors come on top of those that the scores hold already, which pushes agreement down once
    more than the data were; the draws are moved back to where designs alone leave them.

    Args:
        errors: drawn score less the table's at either scale, shape (draws, n) each.
    """
    counts = cluster_counts(rng, small.size, draws)
    found: dict[str, Spread] = {}
    for name in PARTS:
        statistic = weighted.STATISTICS[name]
        alone = statistic(counts, small, large)
        values = statistic(counts, small + errors[0], large + errors[1])
        values = recentred(values, name, to=alone, even="artanh")
        whole, left_out = weighted.table_and_jackknife(small.size)
        at = float(statistic(whole, small, large)[0])
        own = _design_interval(name, values, at, statistic(left_out, small, large))
        _add(found, name, values, own)
    return found


def noise_bootstrap(
    small: Scores, large: Scores, errors: tuple[Scores, Scores]
) -> dict[str, Spread]:
    """Keep the designs and resample the errors of their cells: percentile intervals.

    They say where the statistic of the same designs would lie with other items or seeds. The draws
    are moved to the statistic of the data, as in `joint_bootstrap`.
    """
    ones = np.ones_like(errors[0])
    found: dict[str, Spread] = {}
    for name in PARTS:
        statistic = weighted.STATISTICS[name]
        values = statistic(ones, small + errors[0], large + errors[1])
        values = recentred(values, name, to=statistic(ones[:1], small, large), even="arcsin")
        _add(found, name, values, percentile_interval(values))
    return found


def crossed_bootstrap(
    small: Scores,
    large: Scores,
    blocks: NDArray[np.intp],
    configurations: NDArray[np.intp],
    rng: np.random.Generator,
    draws: int,
) -> dict[str, Spread]:
    """Resample blocks and configurations, each with replacement; percentile intervals.

    Args:
        blocks, configurations: those of each design, from 0, shape (n,).
    """
    of_block = cluster_counts(rng, int(blocks.max()) + 1, draws)[:, blocks]
    counts = of_block * cluster_counts(rng, int(configurations.max()) + 1, draws)[:, configurations]
    found: dict[str, Spread] = {}
    for name in PARTS:
        values = weighted.STATISTICS[name](counts, small, large)
        _add(found, name, values, percentile_interval(values))
        if name == "pearson":  # a correlation of either sign, in a resample of few blocks
            found["r2"] = Spread(_error(values**2), percentile_interval(values**2))
    return found


def recentred(draws: Scores, name: str, *, to: Scores, even: Even) -> Scores:
    r"""Move draws so that their median is that of `to`, on the scale where they scatter evenly.

    Designs scatter a correlation evenly in $\operatorname{artanh} r$ (Fisher); errors added to
    fixed scores move it by about $\sqrt{1 - r^2}$ times their size, evenly in $\arcsin r$.
    Decision accuracy is moved as the correlation 2 DA - 1. Draws stay within their bounds.
    """
    if name == "decision_accuracy":
        moved = recentred(2.0 * draws - 1.0, "", to=2.0 * to - 1.0, even=even)
        return (moved + 1.0) / 2.0
    with np.errstate(divide="ignore", invalid="ignore"):
        if even == "artanh":
            shift = _median(np.arctanh(to)) - _median(np.arctanh(draws))
            return np.tanh(np.arctanh(draws) + shift) if np.isfinite(shift) else draws
        shift = _median(np.arcsin(to)) - _median(np.arcsin(draws))
        angles = np.clip(np.arcsin(draws) + shift, -np.pi / 2, np.pi / 2)
        return np.sin(angles) if np.isfinite(shift) else draws


def intraclass(scores: Scores, groups: NDArray[np.intp]) -> float | None:
    r"""Intraclass correlation ICC(1): how alike designs of one group are.

    $(B - W) / (B + (n_0 - 1) W)$ with the mean squares between and within groups and $n_0$ the mean
    group size corrected for unequal sizes. At most 0: groups tell nothing of scores.

    Source: Donner and Koval (1980). None for one group, no replication, or constant scores.
    """
    count = np.bincount(groups)
    count = count[count > 0]
    n, k = groups.size, count.size
    if k < 2 or n <= k:
        return None
    _, code = np.unique(groups, return_inverse=True)
    means = np.bincount(code, weights=scores) / count
    within = float(np.sum((scores - means[code]) ** 2)) / (n - k)
    between = float(np.sum(count * (means - scores.mean()) ** 2)) / (k - 1)
    size = (n - float(np.sum(count**2)) / n) / (k - 1)
    total = between + (size - 1.0) * within
    return (between - within) / total if total > 0 else None


def _design_interval(name: str, draws: Scores, at: float, left_out: Scores) -> Interval | None:
    """BCa over designs; widened for means of values, whose bootstrap is too narrow at small n.

    Args:
        at: the statistic of the table.
        left_out: the statistic without each design in turn.
    """
    if not np.isfinite(at):
        return None
    return bca_interval(at, draws, left_out, widened=name in weighted.OF_MOMENTS)


def _add(found: dict[str, Spread], name: str, draws: Scores, interval: Interval | None) -> None:
    """Note the spread of a statistic, and that of r2 with Pearson's r."""
    found[name] = Spread(_error(draws), interval)
    if name == "pearson":
        found["r2"] = Spread(_error(draws**2), square_interval(interval) if interval else None)


def _median(values: Scores) -> float:
    kept = values[~np.isnan(values)]
    return float(np.median(kept)) if kept.size else np.nan


def _error(draws: Scores) -> float | None:
    kept = draws[np.isfinite(draws)]
    return float(kept.std(ddof=1)) if kept.size > 1 else None
