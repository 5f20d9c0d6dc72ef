"""Apply the statistics of `consistency` to every metric and pair of scales of a score table."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.findings.metric_view import MetricView, view_metric
from analysis.findings.pair import Pair
from analysis.findings.pair_breakdown import break_down, codes
from analysis.findings.pair_resampling import Crossing, resample_pair
from analysis.findings.pair_verdict import pair_evidence
from analysis.statistics import agreement, consistency, prediction, selection
from analysis.statistics.consistency import Within
from analysis.statistics.intervals import fisher_interval, square_interval
from analysis.statistics.item_scores import ItemScores
from analysis.statistics.reliability import pair_noise
from analysis.statistics.scores import Scores, is_constant
from analysis.statistics.verdict import judge_pair
from analysis.table.table import ScoreTable

# Below this an interval of R² spans most of 0 to 1 whatever the data say.
FEW_DESIGNS = 15
TOP_K = (1, 3, 5)
# Resamples x designs x pairs of scales that a report can afford.
MOST_WORK = 20_000_000
# The same for resamples x pairs of designs x pairs of scales.
MOST_COMPARISONS = 500_000_000


def compare_scales(
    table: ScoreTable, items: Mapping[str, ItemScores] | None = None, *, seed: int = 0
) -> list[Pair]:
    """Compare every ordered pair of scales (small before large) on every metric of the table.

    Args:
        items: metric -> answers behind it, for the metrics whose item table is known.
        seed: of all resampling: the same table gives the same report.
    """
    duos = list(combinations(table.scales, 2))
    draws = draws_for(len(duos) * len(table.metrics), len(table.designs))
    pairs: list[Pair] = []
    for metric in table.metrics if duos else ():
        view = view_metric(table, metric, (items or {}).get(metric), draws=draws, seed=seed)
        pairs += [
            compare_pair(table, view, small, large, draws=draws, seed=seed) for small, large in duos
        ]
    return pairs


def draws_for(pairs: int, designs: int) -> int:
    """Choose how many resamples each of so many pairs of scales gets: 10,000 where there are few.

    A table of hundreds of pairs would take minutes, and 1,000 still give the ends of a 95 %
    interval to a twentieth of its width or so. Hundreds of designs, whose every pair is compared in
    every resample, get at least 400: their intervals are narrow.
    """
    work = MOST_WORK / max(1, pairs * designs)
    comparisons = MOST_COMPARISONS / max(1, pairs * designs**2)
    return int(max(400.0, min(np.clip(work, 1_000, 10_000), comparisons)))


def compare_pair(
    table: ScoreTable, view: MetricView, small: str, large: str, *, draws: int, seed: int
) -> Pair:
    """Compare two scales on one metric, over the designs that have a score at both."""
    shared = view.grid[[small, large]].dropna()
    x, y = shared[small].to_numpy(dtype=float), shared[large].to_numpy(dtype=float)
    n = len(shared)
    designs = table.designs.loc[shared.index]
    at, *scales = view.places(shared.index, small, large)
    ks = [k for k in TOP_K if k < n]
    direction = table.direction(view.metric)
    floored = _scales_at_chance(table, view.grid, view.metric, (small, large))
    within = _within(table, designs, x, y)
    line = consistency.fit_line(x, y)
    noise = pair_noise(x, y, view.noise, at, (scales[0], scales[1]))
    breakdown = break_down(table, designs, x, y, direction=direction)
    resampling = resample_pair(
        x,
        y,
        view.errors_of(shared.index, small, large),
        _crossings(table, designs),
        ks=ks,
        draws=draws,
        seed=seed,
        direction=direction,
    )
    correlations = _correlations(x, y, n)
    judgement = judge_pair(
        pair_evidence(
            correlations["pearson_ci"],
            within,
            resampling,
            breakdown,
            noise,
            n=n,
            signal=not floored,
        )
    )
    return Pair(
        metric=view.metric,
        small=small,
        large=large,
        n=n,
        **correlations,
        slope=line.slope if line else None,
        intercept=line.intercept if line else None,
        theil_sen=prediction.theil_sen(x, y),
        r2_identity=prediction.r2_identity(x, y),
        r2_predictive=prediction.r2_predictive(x, y),
        **_decisions(x, y, table.tie_band),
        **_choices(shared.index, x, y, ks, direction=direction),
        within=within,
        noise=noise,
        held_out=view.held_out(shared.index, small, large),
        resampling=resampling,
        breakdown=breakdown,
        verdict=judgement.verdict,
        verdict_because=judgement.because,
        verdict_evidence=judgement.evidence,
        warnings=(
            *_warnings(n, {small: x, large: y}, within, floored),
            *_unnamed_blocks(table, designs, y, large),
        ),
    )


def _correlations(x: Scores, y: Scores, n: int) -> dict[str, Any]:
    r = consistency.pearson(x, y)
    interval = None if r is None else fisher_interval(r, n)
    return {
        "r2": None if r is None else r * r,
        "r2_ci": None if interval is None else square_interval(interval),
        "pearson": r,
        "pearson_ci": interval,
        "sign": None if r is None else int(np.sign(r)),
        "spearman": consistency.spearman(x, y),
        "kendall": consistency.kendall(x, y),
    }


def _decisions(x: Scores, y: Scores, band: float) -> dict[str, Any]:
    r = consistency.pearson(x, y)
    return {
        "decision_accuracy": agreement.decision_accuracy(x, y),
        "decision_accuracy_expected": (
            None if r is None else agreement.expected_decision_accuracy(r)
        ),
        "decision_accuracy_weighted": agreement.weighted_decision_accuracy(x, y),
        "tie_band": band,
        "decision_accuracy_banded": (
            agreement.decision_accuracy(x, y, band=band) if band else None
        ),
        "margins": agreement.margin_curve(x, y),
    }


def _choices(
    names: pd.Index, x: Scores, y: Scores, ks: list[int], *, direction: float
) -> dict[str, Any]:
    """Judge choosing at the small scale, with higher as better after turning by `direction`."""
    up, down = direction * x, direction * y
    lost = selection.regret(up, down)
    spread = float(np.ptp(y)) if y.size else 0.0
    return {
        "regret": lost,
        "regret_share": lost / spread if lost is not None and spread > 0 else None,
        "picks_best": selection.picks_best(up, down),
        "winner": _best_designs(names, up),
        "best": _best_designs(names, down),
        "top_k_recall": {str(k): selection.top_k_recall(up, down, k) for k in ks},
        "top_k_regret": {str(k): selection.top_k_regret(up, down, k) for k in ks},
    }


def _crossings(table: ScoreTable, designs: pd.DataFrame) -> dict[str, Crossing]:
    """See each block column as a factor crossed with all that the other axes say of a design."""
    found: dict[str, Crossing] = {}
    for block in table.blocks:
        others = [axis for axis in table.axes if axis != block]
        rest = designs[others].agg("/".join, axis=1) if others else designs.index.to_series()
        found[block] = Crossing(codes(designs, block), np.asarray(pd.factorize(rest)[0]))
    return found


def _within(
    table: ScoreTable, designs: pd.DataFrame, small: Scores, large: Scores
) -> dict[str, Within]:
    """Compare within the blocks of each block column of the table."""
    return {
        block: consistency.within_blocks(small, large, codes(designs, block))
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
    sign = table.direction(metric)
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


def _unnamed_blocks(table: ScoreTable, designs: pd.DataFrame, y: Scores, scale: str) -> list[str]:
    """Warn of axes that cross the others and whose levels score alike, where no block is named.

    Alike: one-way analysis of variance at the large scale, p under .05. Designs that an axis
    changed one at a time (a level of one design) are no blocks.
    """
    if table.blocks:
        return []
    notes: list[str] = []
    for axis in table.axes if len(table.axes) > 1 else ():
        parts = [y[np.asarray(at)] for at in designs.groupby(axis).indices.values()]
        if len(parts) < 2 or min(map(len, parts)) < 2 or any(is_constant(part) for part in parts):
            continue
        if float(stats.f_oneway(*parts).pvalue) < 0.05:
            notes.append(
                f"designs that share a level of {axis} score alike at {scale}, and no block is "
                f"named: the interval takes them for independent; see --block {axis}"
            )
    return notes
