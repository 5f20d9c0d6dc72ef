"""What all scales say together: which proxy is enough, how agreement grows, how far all agree."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.findings.data_sizes import DataSizeCurve, data_size_curves
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import believed_interval
from analysis.statistics.consistency import pearson
from analysis.statistics.correlation_tests import CorrelationTest, compare_correlations
from analysis.statistics.effects import holm
from analysis.statistics.intervals import square_interval
from analysis.statistics.proxy_choice import (
    TARGETS,
    Concordance,
    Criterion,
    Enough,
    SizeTrend,
    concordance,
    size_trend,
    smallest_enough,
)
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class AcrossScales:
    """One metric over all scales; field names are those of report.json.

    `enough` has an entry per criterion; `cost` says what proxies are ordered by. `better` compares
    every two proxies' correlations with the largest scale, `better_p_holm` are their p values
    adjusted together; `independent` is false where designs share blocks, which that test doesn't
    know, so that its p are too small. `trend` is the fit of R² with the largest scale on size, None
    without sizes.
    `plateaus` is empty unless an axis holds sizes of data.
    """

    metric: str
    target: str
    cost: str
    enough: tuple[Enough, ...]
    better: tuple[CorrelationTest, ...]
    better_p_holm: tuple[float | None, ...]
    independent: bool
    trend: SizeTrend | None
    concordance: Concordance | None
    plateaus: tuple[DataSizeCurve, ...]


def look_across(
    table: ScoreTable, metric: str, pairs: Sequence[Pair], *, seed: int
) -> AcrossScales:
    """Put all scales of one metric together; `pairs` are the reports on that metric."""
    target = table.scales[-1]
    proxies = [pair for pair in pairs if pair.large == target]
    better = _comparisons(table, metric)
    return AcrossScales(
        metric=metric,
        target=target,
        cost=_cost_of(table),
        enough=tuple(_enough(table, proxies, criterion) for criterion in TARGETS),
        better=better,
        better_p_holm=tuple(holm([test.p for test in better])),
        independent=all(pair.resampling.believe in (None, "plain") for pair in proxies),
        trend=_trend(table, proxies),
        concordance=concordance(table.grid(metric).dropna().to_numpy(dtype=float)),
        plateaus=tuple(data_size_curves(table, metric, seed=seed)),
    )


def lower_bound(pair: Pair, criterion: Criterion) -> float | None:
    """What the small scale of a pair is sure of: the lower end of the interval to believe.

    Within blocks Fisher's interval, of the block column where it reaches least, or R² there without
    the level that carries it most, if that is less: one bad level is no proof for the others.
    """
    if criterion == "r2_within":
        known = [part.pearson_ci for part in pair.within.values() if part.pearson_ci]
        ends = [_square_low(interval) for interval in known]
        weakest = pair.verdict_evidence.weakest_level
        return min([*ends, weakest[1]] if ends and weakest else ends, default=None)
    interval = believed_interval(pair.resampling, criterion)
    if criterion == "r2" and interval is not None:
        r = believed_interval(pair.resampling, "pearson")
        # A negative r explains as much, the wrong way round.
        return _square_low(r) if r is not None and r[0] <= 0 else interval[0]
    return None if interval is None else interval[0]


def _square_low(interval: tuple[float, float]) -> float:
    return square_interval(interval)[0] if interval[0] > 0 else 0.0


def _enough(table: ScoreTable, proxies: Sequence[Pair], criterion: Criterion) -> Enough:
    # Scales are sorted by size, or else as they were given: their order is what they cost at least.
    costs = table.costs or {scale: float(place) for place, scale in enumerate(table.scales)}
    return smallest_enough(
        [pair.small for pair in proxies],
        [costs[pair.small] for pair in proxies],
        [lower_bound(pair, criterion) for pair in proxies],
        criterion=criterion,
        target=TARGETS[criterion],
    )


def _cost_of(table: ScoreTable) -> str:
    if table.costs:
        return "the costs given"
    return "parameters" if table.sizes else "the order of scales"


def _comparisons(table: ScoreTable, metric: str) -> tuple[CorrelationTest, ...]:
    """Compare every two proxies on the designs that both and the largest scale have."""
    # In the order of names: no order of rows changes a last digit.
    grid, target = table.grid(metric).loc[list(table.names)], table.scales[-1]
    found: list[CorrelationTest] = []
    for small, big in combinations(table.scales[:-1], 2):
        scores = grid[[small, big, target]].dropna().to_numpy(dtype=float)
        a, b, goal = scores.T
        r = (pearson(a, goal), pearson(b, goal), pearson(a, b))
        if r[0] is not None and r[1] is not None and r[2] is not None:
            names = (small, big)
            found.append(compare_correlations(r[0], r[1], r[2], len(scores), names=names))
    return tuple(found)


def _trend(table: ScoreTable, proxies: Sequence[Pair]) -> SizeTrend | None:
    if not table.sizes:
        return None
    known = [(table.sizes[pair.small], pair.r2) for pair in proxies if pair.r2 is not None]
    sizes, r2 = np.array([x for x, _ in known]), np.array([y for _, y in known], dtype=float)
    return size_trend(sizes, r2)
