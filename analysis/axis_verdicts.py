"""The verdict on every axis at every pair of scales, from a score table."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.axes import AxisReport, Matched, matched_pairs
from analysis.axis_effects import SeedRuns, difference_seed_variance, seed_runs
from analysis.effect_transfer import wilson_interval
from analysis.intervals import Interval
from analysis.noise import MetricNoise
from analysis.pair import Pair
from analysis.reliability import FALSE_SHARE
from analysis.table import ScoreTable
from analysis.verdict import (
    AxisEvidence,
    AxisReason,
    Verdict,
    agrees_in_aggregate,
    judge_axis,
)

Places = NDArray[np.intp]
# A second or so of tests.
MOST_PAIRS = 20_000


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
        shares = {
            scale: _share(grid[:, at], places, noise, seeds, at)
            for at, scale in enumerate(table.scales)
        }
        for matched in report.matched:
            evidence = _evidence(matched, shares, by_scales[matched.small, matched.large])
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
    """The wider end, on either side, of the jackknife's interval and Wilson's over the designs.

    The jackknife sees no spread where all pairs agree, whatever their number; Wilson's interval
    takes each design as one draw.
    """
    wilson = wilson_interval(matched.decision_accuracy, matched.designs)
    if wilson is None:
        return None
    own = matched.ci or (0.0, 1.0)
    return (min(own[0], wilson[0]), max(own[1], wilson[1]))


def decidable_share(
    gaps: Sequence[float], errors: Sequence[float], freedoms: Sequence[float]
) -> float | None:
    """Share of differences beyond noise: t tests, Benjamini and Yekutieli (2001), 5 % false.

    Args:
        gaps, errors: differences and their standard errors, points.
        freedoms: degrees of freedom of each error.
    """
    if not gaps:
        return None
    gap, error = np.abs(np.array(gaps)), np.array(errors)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2.0 * stats.t.sf(gap / error, np.array(freedoms))
    p = np.where(error > 0, p, np.where(gap > 0, 0.0, 1.0))
    return float(np.mean(stats.false_discovery_control(p, method="by") <= FALSE_SHARE))


def _evidence(matched: Matched, shares: Mapping[str, float | None], pair: Pair) -> AxisEvidence:
    return AxisEvidence(
        pairs=matched.n,
        designs=matched.designs,
        accuracy=matched.decision_accuracy,
        accuracy_ci=axis_interval(matched),
        decidable=(shares[matched.small], shares[matched.large]),
        aggregate=agrees_in_aggregate(pair.verdict_evidence),
        signal=pair.verdict_evidence.signal,
    )


def _places(table: ScoreTable, axis: str) -> Places:
    """Places of the pairs of designs that differ in the axis alone, shape (pairs, 2)."""
    names, pairs = pd.Index(table.names), matched_pairs(table.designs, table.axes, axis)
    sides = [names.get_indexer([pair[side] for pair in pairs]) for side in (0, 1)]
    return np.column_stack(sides)


def _share(
    scores: NDArray[np.float64], places: Places, noise: MetricNoise, seeds: SeedRuns, scale: int
) -> float | None:
    """Share of the pairs that differ beyond noise at a scale.

    None where noise is not known, or where there are too many pairs to test one by one.
    """
    if len(places) > MOST_PAIRS:
        return None
    gaps: list[float] = []
    errors: list[float] = []
    freedoms: list[float] = []
    for a, b in places.tolist():
        parts = _parts(noise, seeds, (a, b), scale)
        if not parts or not np.isfinite(scores[a] - scores[b]):
            continue
        total = sum(value for value, _ in parts)
        gaps.append(float(scores[a] - scores[b]))
        errors.append(float(np.sqrt(total)))
        below = sum(value**2 / freedom for value, freedom in parts)
        freedoms.append(total**2 / below if below > 0 else 1.0)
    return decidable_share(gaps, errors, freedoms)


def _parts(
    noise: MetricNoise, seeds: SeedRuns, pair: tuple[int, int], scale: int
) -> list[tuple[float, float]]:
    """Variance of a difference by seeds and by items, each with its degrees of freedom."""
    parts: list[tuple[float, float]] = []
    by_seed = difference_seed_variance(seeds, noise, pair, scale)
    if by_seed is not None:
        parts.append((by_seed.value, by_seed.freedom))
    if noise.influence is not None:
        apart = noise.influence[pair[0], scale] - noise.influence[pair[1], scale]
        if np.isfinite(apart).all() and apart.size > 1:
            parts.append((float(apart @ apart), apart.size - 1.0))
    return parts
