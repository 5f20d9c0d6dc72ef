"""Held-out agreement over metrics: the small scale judged on one half, the large on the other.

For tables of many metrics and no items. A metric that happens to suit a design does so at both
scales; a design that is good is good on metrics that were not looked at, too.
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.findings.metric_view import FEWEST_CATEGORIES, OVERALL
from analysis.statistics.held_out import HeldOut, held_out, part_halves
from analysis.statistics.scores import Scores, is_constant
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class MetricHalves:
    """Held-out agreement of two scales over halves of the metrics, and what it is taken from.

    `designs` have every metric at both scales. `left_out` are metrics on which all of them score
    the same at a scale.
    """

    small: str
    large: str
    designs: int
    metrics: tuple[str, ...]
    left_out: tuple[str, ...]
    held_out: HeldOut


def halve_metrics(table: ScoreTable, *, seed: int = 0) -> list[MetricHalves]:
    """Compare every two scales on halves of the metrics; empty with fewer than four of them.

    Metrics differ in units and spread, so each is standardised over the designs at each scale
    first, with higher as better: a loss would otherwise cancel an accuracy. Where there are
    `overall` metrics only those count, since the others are their parts.
    """
    overall = tuple(m for m in table.metrics if m.rpartition("/")[2] == OVERALL)
    metrics = overall or table.metrics
    if len(metrics) < FEWEST_CATEGORIES:
        return []
    cube = np.stack(
        [
            table.direction(m) * table.grid(m).loc[list(table.names)].to_numpy(dtype=float)
            for m in metrics
        ],
        axis=-1,
    )
    found = (
        _halve(cube[:, [s, t]], metrics, (table.scales[s], table.scales[t]), seed)
        for s, t in combinations(range(len(table.scales)), 2)
    )
    return [halves for halves in found if halves is not None]


def _halve(
    scores: Scores, metrics: tuple[str, ...], scales: tuple[str, str], seed: int
) -> MetricHalves | None:
    """Compare two scales; scores are of shape (designs, 2, metrics), NaN where missing."""
    whole = scores[np.isfinite(scores).all(axis=(1, 2))]
    varies = np.array(
        [not any(is_constant(whole[:, side, m]) for side in (0, 1)) for m in range(len(metrics))]
    )
    if len(whole) < 2 or varies.sum() < FEWEST_CATEGORIES:
        return None
    kept = whole[:, :, varies]
    standard = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    first, second = part_halves(standard, np.random.default_rng(seed))
    sides = [(first[..., side], second[..., side]) for side in (0, 1)]
    return MetricHalves(
        small=scales[0],
        large=scales[1],
        designs=len(whole),
        metrics=tuple(m for m, used in zip(metrics, varies, strict=True) if used),
        left_out=tuple(m for m, used in zip(metrics, varies, strict=True) if not used),
        held_out=held_out(sides[0], sides[1], of="metrics", parts=int(varies.sum())),
    )
