"""What each axis does: effects of its levels against base, and pairs that differ in it alone."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.agreement import matched_order
from analysis.statistics.intervals import Interval, jackknife_interval
from analysis.statistics.scores import Scores
from analysis.table.table import BASE, ScoreTable

# Fewer designs have no spread to tell of.
FEWEST_DESIGNS = 3


@dataclass(frozen=True)
class Effect:
    """A level's mean score less base's at one scale, over `n` pairs that differ in nothing else."""

    level: str
    scale: str
    n: int
    effect: float


@dataclass(frozen=True)
class Matched:
    """Decision accuracy over the `n` pairs of designs that differ in this axis alone.

    The pairs share `designs` designs and are not independent: `ci` is the jackknife's, which leaves
    out one design with all of its pairs at a time. None for fewer than 3 designs.
    """

    small: str
    large: str
    n: int
    designs: int
    decision_accuracy: float | None
    ci: Interval | None


@dataclass(frozen=True)
class AxisReport:
    """One axis under one metric. `effects` is empty where no level is called `base`."""

    axis: str
    metric: str
    levels: tuple[str, ...]
    effects: tuple[Effect, ...]
    matched: tuple[Matched, ...]


def compare_axes(table: ScoreTable) -> list[AxisReport]:
    """Report every axis under every metric of the table."""
    pairs = {axis: matched_pairs(table.designs, table.axes, axis) for axis in table.axes}
    return [
        AxisReport(
            axis=axis,
            metric=metric,
            levels=tuple(table.designs[axis].unique()),
            effects=tuple(_effects(table.designs[axis], table.grid(metric), pairs[axis])),
            matched=tuple(_agreements(table.grid(metric), pairs[axis])),
        )
        for metric in table.metrics
        for axis in table.axes
    ]


def matched_pairs(designs: pd.DataFrame, axes: tuple[str, ...], axis: str) -> list[tuple[str, str]]:
    """List the pairs of designs that have another level on `axis` and the same on all others."""
    others = [name for name in axes if name != axis]
    groups = [part for _, part in designs.groupby(others, sort=False)] if others else [designs]
    return [
        (first, second)
        for group in groups
        for (first, level), (second, other) in combinations(group[axis].to_dict().items(), 2)
        if level != other
    ]


def _effects(
    levels: pd.Series, grid: pd.DataFrame, pairs: Iterable[tuple[str, str]]
) -> Iterable[Effect]:
    """Average level less base over matched pairs that have a score at the scale on both sides."""
    against_base: dict[str, list[tuple[str, str]]] = {}
    for first, second in pairs:
        for design, base in ((first, second), (second, first)):
            if levels[base] == BASE:
                against_base.setdefault(levels[design], []).append((design, base))
    for level, matches in against_base.items():
        designs, bases = (list(side) for side in zip(*matches, strict=True))
        for scale in grid.columns:
            gaps = grid.loc[designs, scale].to_numpy() - grid.loc[bases, scale].to_numpy()
            gaps = gaps[~np.isnan(gaps)]
            if gaps.size:
                yield Effect(level, scale, int(gaps.size), float(gaps.mean()))


def _agreements(grid: pd.DataFrame, pairs: list[tuple[str, str]]) -> Iterable[Matched]:
    """Count how often two scales order a matched pair alike; a tie at either counts 1/2."""
    members = np.array(
        [grid.index.get_indexer([pair[side] for pair in pairs]) for side in (0, 1)], dtype=np.intp
    )
    order = matched_order(grid.to_numpy(dtype=float), members.T)
    for small, large in combinations(range(len(grid.columns)), 2):
        agreement = (1.0 + order[:, small] * order[:, large]) / 2.0
        known = np.isfinite(agreement)
        share = float(agreement[known].mean()) if known.any() else None
        yield Matched(
            small=grid.columns[small],
            large=grid.columns[large],
            n=int(known.sum()),
            designs=int(np.unique(members[:, known]).size),
            decision_accuracy=share,
            ci=shared_interval(agreement[known], members[:, known]),
        )


def shared_interval(agreement: Scores, members: NDArray[np.intp]) -> Interval | None:
    """95 % jackknife interval of the mean agreement of pairs that share designs.

    Where every pair agrees alike there is no spread to go by; then it is Clopper and Pearson's
    (1934) for as many pairs as can be formed without sharing a design.

    Args:
        agreement: of each pair, shape (pairs,).
        members: the two designs of each pair, shape (2, pairs).
    """
    designs, code = np.unique(members, return_inverse=True)
    if designs.size < FEWEST_DESIGNS:
        return None
    if np.ptp(agreement) == 0:
        alone = designs.size // 2
        hits = float(agreement[0]) * alone
        low = float(stats.beta.ppf(0.025, hits, alone - hits + 1)) if hits > 0 else 0.0
        high = float(stats.beta.ppf(0.975, hits + 1, alone - hits)) if hits < alone else 1.0
        return (low, high)
    code = code.reshape(members.shape)
    own, pairs = (
        sum(np.bincount(side, weights=weights, minlength=designs.size) for side in code)
        for weights in (agreement, np.ones_like(agreement))
    )
    left = agreement.size - pairs
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(left > 0, (agreement.sum() - own) / left, np.nan)
    return jackknife_interval(float(agreement.mean()), values, low=0.0, high=1.0)
