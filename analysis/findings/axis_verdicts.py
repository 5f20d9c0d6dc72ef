"""The verdict on every axis at every pair of scales, from a score table."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.findings.axes import AxisReport, Matched, matched_pairs
from analysis.findings.axis_effects import SeedRuns, difference_seed_variances, seed_runs
from analysis.findings.pair import Pair
from analysis.statistics.agreement import matched_order
from analysis.statistics.effect_transfer import wilson_interval
from analysis.statistics.intervals import Interval
from analysis.statistics.noise import MetricNoise
from analysis.statistics.reliability import FALSE_SHARE
from analysis.statistics.verdict import (
    AxisEvidence,
    AxisReason,
    Verdict,
    agrees_in_aggregate,
    judge_axis,
    weighing,
)
from analysis.statistics.weighted import chunks
from analysis.table.table import ScoreTable

Places = NDArray[np.intp]
# A second or so of tests.
MOST_PAIRS = 20_000
# Fewer pairs left tell nothing of what one level does.
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class AxisVerdict:
    """The verdict on one axis at one pair of scales; field names are those of report.json."""

    metric: str
    axis: str
    small: str
    large: str
    verdict: Verdict
    because: AxisReason
    evidence: AxisEvidence


def judge_axes(
    table: ScoreTable,
    metric: str,
    axes: Iterable[AxisReport],
    pairs: Iterable[Pair],
    noise: MetricNoise,
) -> list[AxisVerdict]:
    """Judge every axis under a metric; `axes` and `pairs` are the reports on that metric."""
    grid = table.grid(metric).loc[list(table.names)].to_numpy(dtype=float)
    by_scales = {(pair.small, pair.large): pair for pair in pairs}
    seeds = seed_runs(table, metric)
    found: list[AxisVerdict] = []
    for report in axes:
        places = _places(table, report.axis)
        decided = [
            _decided(grid[:, at], places, noise, seeds, at) for at in range(len(table.scales))
        ]
        for matched in report.matched:
            columns = [table.scales.index(scale) for scale in (matched.small, matched.large)]
            beyond = [decided[at] for at in columns]
            overall = by_scales[matched.small, matched.large]
            noises = overall.noise
            freedoms = (
                (None, None) if noises is None else (noises.freedom_small, noises.freedom_large)
            )
            shares = [weighing(_share(b), f) for b, f in zip(beyond, freedoms, strict=True)]
            evidence = AxisEvidence(
                pairs=matched.n,
                designs=matched.designs,
                accuracy=matched.decision_accuracy,
                accuracy_ci=axis_interval(matched),
                decidable=(shares[0], shares[1]),
                wrong_beyond_noise=None
                if None in shares
                else _reversed(grid[:, columns], places, *beyond),
                weakest_level=_weakest(grid[:, columns], places, _levels(table, report.axis)),
                aggregate=agrees_in_aggregate(overall.verdict_evidence),
                signal=overall.verdict_evidence.signal,
            )
            judged = judge_axis(evidence)
            found.append(
                AxisVerdict(
                    metric,
                    report.axis,
                    matched.small,
                    matched.large,
                    judged.verdict,
                    judged.because,
                    evidence,
                )
            )
    return found


def axis_interval(matched: Matched) -> Interval | None:
    """The interval of a matched accuracy that a verdict rests on, with as many draws as designs.

    The wider end, on either side, of the jackknife's and Wilson's. Where all pairs agree (or none)
    the jackknife sees no spread, and pairs that share no design are too few to tell of an axis of
    a handful of levels; but chance ranks k designs alike once in k! times. Then it is Clopper and
    Pearson's (1934) for one draw a design, which six designs take beyond one half.
    """
    share, n = matched.decision_accuracy, matched.designs
    if share is None or n == 0:
        return None
    if share in (0.0, 1.0):
        far = 0.025 ** (1.0 / n)
        return (far, 1.0) if share else (0.0, 1.0 - far)
    wilson, own = wilson_interval(share, n) or (0.0, 1.0), matched.ci or (0.0, 1.0)
    return (min(own[0], wilson[0]), max(own[1], wilson[1]))


def decided_pairs(
    gaps: NDArray[np.float64], errors: NDArray[np.float64], freedoms: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Mark differences beyond noise: t tests, Benjamini and Yekutieli (2001), 5 % false.

    Args:
        gaps, errors: differences and their standard errors, points, shape (pairs,).
        freedoms: degrees of freedom of each error.

    Returns:
        shape (pairs,). A difference whose error is 0 is decided by being there.
    """
    if gaps.size == 0:
        return np.zeros(0, dtype=bool)
    gap = np.abs(gaps)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2.0 * stats.t.sf(gap / errors, freedoms)
    p = np.where(errors > 0, p, np.where(gap > 0, 0.0, 1.0))
    return np.asarray(stats.false_discovery_control(p, method="by") <= FALSE_SHARE)


def _share(decided: NDArray[np.float64] | None) -> float | None:
    """Share of the pairs with known noise that differ beyond it."""
    known = np.zeros(0) if decided is None else decided[np.isfinite(decided)]
    return float(known.mean()) if known.size else None


def _reversed(
    scores: NDArray[np.float64],
    places: Places,
    small: NDArray[np.float64] | None,
    large: NDArray[np.float64] | None,
) -> int | None:
    """Count the pairs ordered oppositely that differ beyond noise at both scales; None: unknown."""
    if _share(small) is None or _share(large) is None:
        return None
    order = matched_order(scores, places)
    return int(np.sum((order[:, 0] * order[:, 1] < 0) & (small == 1.0) & (large == 1.0)))


def _weakest(
    scores: NDArray[np.float64], places: Places, levels: Sequence[str]
) -> tuple[str, float] | None:
    """Smallest decision accuracy of the pairs without one level, with the level's name.

    Args:
        scores: at the small and the large scale, shape (designs, 2), NaN where missing.
        places: of pairs of designs, shape (pairs, 2).
        levels: of each design on the axis.
    """
    order = matched_order(scores, places)
    agreement = (1.0 + order[:, 0] * order[:, 1]) / 2.0
    names = np.asarray(levels)[places]
    known = np.isfinite(agreement)
    found: list[tuple[float, str]] = []
    for level in sorted(set(levels)):
        left = known & (names != level).all(axis=1)
        if left.sum() >= FEWEST_PAIRS:
            found.append((float(agreement[left].mean()), level))
    return (min(found)[1], min(found)[0]) if found else None


def _levels(table: ScoreTable, axis: str) -> list[str]:
    return [str(level) for level in table.designs.loc[list(table.names), axis]]


def _places(table: ScoreTable, axis: str) -> Places:
    """Places of the pairs of designs that differ in the axis alone, shape (pairs, 2)."""
    names, pairs = pd.Index(table.names), matched_pairs(table.designs, table.axes, axis)
    sides = [names.get_indexer([pair[side] for pair in pairs]) for side in (0, 1)]
    return np.column_stack(sides)


def _decided(
    scores: NDArray[np.float64], places: Places, noise: MetricNoise, seeds: SeedRuns, scale: int
) -> NDArray[np.float64] | None:
    """Mark the pairs that differ beyond noise at a scale: 1, 0, NaN where noise is not known.

    None where there are too many pairs to test one by one.
    """
    if len(places) > MOST_PAIRS:
        return None
    values, freedoms = difference_seed_variances(seeds, noise, places, scale)
    by_item = _item_variances(noise, places, scale)
    # Two sources add up; Satterthwaite's degrees of freedom, as in `noise.joint_freedom`.
    parts = np.stack([values, by_item])
    below = np.stack([values**2 / freedoms, by_item**2 / _item_freedom(noise)])
    total, square = np.nansum(parts, axis=0), np.nansum(below, axis=0)
    gaps = scores[places[:, 0]] - scores[places[:, 1]]
    known = np.isfinite(parts).any(axis=0) & np.isfinite(gaps)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(square > 0, total**2 / square, 1.0)
    found = np.full(len(places), np.nan)
    found[known] = decided_pairs(gaps[known], np.sqrt(total[known]), freedom[known])
    return found


def _item_variances(noise: MetricNoise, places: Places, scale: int) -> NDArray[np.float64]:
    """Variance of each pair's difference by items; NaN where not known."""
    found = np.full(len(places), np.nan)
    if noise.influence is None or noise.influence.shape[2] < 2:
        return found
    own = noise.influence[:, scale]
    for rows in chunks(len(places), own.shape[1]):
        first, second = places[rows].T
        found[rows] = np.sum((own[first] - own[second]) ** 2, axis=1)
    return found


def _item_freedom(noise: MetricNoise) -> float:
    return 1.0 if noise.influence is None else max(1.0, noise.influence.shape[2] - 1.0)
