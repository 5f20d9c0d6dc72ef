"""Apply the statistics of `consistency` to every metric and pair of scales of a score table."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from analysis import consistency, selection
from analysis.agreement import decision_accuracy
from analysis.consistency import Within
from analysis.intervals import fisher_interval, square_interval
from analysis.scores import Scores, is_constant
from analysis.table import ScoreTable
from analysis.verdict import Verdict, judge

# Below this an interval of R2 spans most of 0 to 1 whatever the data say.
FEW_DESIGNS = 15
TOP_K = (1, 3, 5)


@dataclass(frozen=True)
class Pair:
    """What the small scale says about the large one for one metric, over the designs both have.

    Field names are those of report.json; formulas and units are in `consistency`. None: undefined,
    and `warnings` says why. `winner` are the small scale's best designs (several where tied) and
    `best` the large scale's. `regret_share` is regret over the range of scores at the large scale.
    """

    metric: str
    small: str
    large: str
    n: int
    r2: float | None
    r2_ci: tuple[float, float] | None
    pearson: float | None
    pearson_ci: tuple[float, float] | None
    sign: int | None
    slope: float | None
    intercept: float | None
    spearman: float | None
    kendall: float | None
    decision_accuracy: float | None
    regret: float | None
    regret_share: float | None
    winner: tuple[str, ...]
    best: tuple[str, ...]
    top_k_recall: dict[str, float | None]
    top_k_regret: dict[str, float | None]
    within: dict[str, Within]
    verdict: Verdict
    warnings: tuple[str, ...]


def compare_scales(table: ScoreTable) -> list[Pair]:
    """Compare every ordered pair of scales (small before large) on every metric of the table."""
    return [
        compare_pair(table, metric, small, large)
        for metric in table.metrics
        for small, large in combinations(table.scales, 2)
    ]


def compare_pair(table: ScoreTable, metric: str, small: str, large: str) -> Pair:
    """Compare two scales on one metric, over the designs that have a score at both."""
    grid = table.grid(metric)
    shared = grid[[small, large]].dropna()
    x, y = shared[small].to_numpy(dtype=float), shared[large].to_numpy(dtype=float)
    n = len(shared)
    r, line = consistency.pearson(x, y), consistency.fit_line(x, y)
    interval = None if r is None else fisher_interval(r, n)
    # Rankings are read with higher as better, so a loss changes its sign here and only here.
    up, down = (-x, -y) if table.lower_is_better else (x, y)
    lost = selection.regret(up, down)
    spread = float(np.ptp(y)) if n else 0.0
    ks = [k for k in TOP_K if k < n]
    floored = _scales_at_chance(table, grid, metric, (small, large))
    within = _within(table, shared, x, y)
    judged = [part.pearson_ci for part in within.values() if part.n]
    return Pair(
        metric=metric,
        small=small,
        large=large,
        n=n,
        r2=None if r is None else r * r,
        r2_ci=None if interval is None else square_interval(interval),
        pearson=r,
        pearson_ci=interval,
        sign=None if r is None else int(np.sign(r)),
        slope=line.slope if line else None,
        intercept=line.intercept if line else None,
        spearman=consistency.spearman(x, y),
        kendall=consistency.kendall(x, y),
        decision_accuracy=decision_accuracy(x, y),
        regret=lost,
        regret_share=lost / spread if lost is not None and spread > 0 else None,
        winner=_best_designs(shared.index, up),
        best=_best_designs(shared.index, down),
        top_k_recall={str(k): selection.top_k_recall(up, down, k) for k in ks},
        top_k_regret={str(k): selection.top_k_regret(up, down, k) for k in ks},
        within=within,
        verdict=judge(interval, judged, signal=not floored),
        warnings=tuple(_warnings(n, {small: x, large: y}, within, floored)),
    )


def _within(
    table: ScoreTable, shared: pd.DataFrame, small: Scores, large: Scores
) -> dict[str, Within]:
    """Compare within the blocks of each block column of the table."""
    names = table.designs.loc[shared.index]
    return {
        block: consistency.within_blocks(small, large, pd.factorize(names[block])[0])
        for block in table.blocks
    }


def _best_designs(designs: pd.Index, scores: Scores) -> tuple[str, ...]:
    return tuple(designs[scores == scores.max()]) if scores.size else ()


def _scales_at_chance(
    table: ScoreTable, grid: pd.DataFrame, metric: str, scales: tuple[str, str]
) -> list[str]:
    """Name those of the two scales at which the metric carries no signal above guessing."""
    chance = table.chance.get(metric)
    if chance is None:
        return []
    # Scores and chance change sign together where less is better.
    sign = -1.0 if table.lower_is_better else 1.0
    return [
        scale
        for scale in scales
        if consistency.not_above_chance(
            sign * grid[scale].dropna().to_numpy(dtype=float), sign * chance
        )
    ]


def _warnings(
    n: int, scores: dict[str, Scores], within: dict[str, Within], floored: list[str]
) -> list[str]:
    if n == 0:
        return ["no design has a score at both scales"]
    notes: list[str] = []
    if n < FEW_DESIGNS:
        notes.append(f"only {n} design{'s' if n > 1 else ''}: under {FEW_DESIGNS}, R² says little")
    if n < 4:
        notes.append("fewer than 4 designs: no interval")
    notes += [
        f"all {n} designs have the same score at {scale}: correlations are not defined"
        for scale, values in scores.items()
        if n > 1 and is_constant(values)
    ]
    notes += [
        f"no block of {block} holds two of these designs: nothing to compare within"
        for block, part in within.items()
        if part.n == 0
    ]
    notes += [f"no signal: the metric is at its chance level at {scale}" for scale in floored]
    return notes
