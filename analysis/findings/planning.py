"""What the next study would take, from what this one shows: numbers needed, designs to verify."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.findings.axis_effects import SeedRuns, difference_seed_variance, seed_runs
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import quoted_interval, trusts_blocks
from analysis.statistics.effects import Variance
from analysis.statistics.intervals import Z95
from analysis.statistics.item_scores import ItemScores
from analysis.statistics.noise import MetricNoise
from analysis.statistics.planning import (
    Need,
    designs_for_r2,
    effect_half_width_of_seeds,
    items_for_effect,
    r2_half_width,
    seeds_for_effect,
)
from analysis.statistics.scores import Scores
from analysis.statistics.subset import FEWEST_FOR_SLOPE, Strategy, plan_subsets
from analysis.table.table import ScoreTable

# Half-widths wanted of R², and of effects as shares of the range of scores at the largest scale.
R2_WIDTHS = (0.05, 0.1, 0.2)
EFFECT_SHARES = (0.05, 0.1)
# So many subset sizes from 3 to all but one.
SUBSET_SIZES = 6
# A line through fewer designs leaves its own noise unknown.
FEWEST_DESIGNS = 5


@dataclass(frozen=True)
class NamedSubset:
    """Designs to run at `large` when `small` has all; field names are those of report.json.

    Numbers as in `subset.Subset`: half-width of the transfer slope, its standard error over that
    with all designs, and points expected to be lost against running all.
    """

    small: str
    large: str
    strategy: Strategy
    k: int
    designs: tuple[str, ...]
    slope_half_width: float | None
    slope_error_ratio: float | None
    expected_loss: float
    loss_error: float


@dataclass(frozen=True)
class Plan:
    """Planning for one metric; field names are those of report.json."""

    metric: str
    needs: tuple[Need, ...]
    subsets: tuple[NamedSubset, ...]


def plan_study(
    table: ScoreTable,
    metric: str,
    pairs: Sequence[Pair],
    noise: MetricNoise,
    items: ItemScores | None,
    *,
    seed: int,
) -> Plan:
    """Plan from one metric; `pairs` are the reports on it. Only pairs into the largest scale."""
    into = [pair for pair in pairs if pair.large == table.scales[-1]]
    needs = [need for pair in into for need in _designs(pair)]
    needs += _seeds(table, metric, noise)
    needs += _items(table, metric, noise, items)
    subsets = [subset for pair in into for subset in _subsets(table, pair, seed)]
    return Plan(metric, tuple(needs), tuple(subsets))


def _designs(pair: Pair) -> Iterator[Need]:
    """Designs for R², by the interval to believe.

    Where that redraws blocks, it is wider than Fisher's of as many independent designs. It is taken
    to stay so many times wider, as it does if blocks grow in number with the designs.
    """
    if pair.pearson is None:
        return
    alone = r2_half_width(pair.pearson, pair.n)
    believed = quoted_interval(pair) if trusts_blocks(pair) else None
    wider = 1.0
    if believed is not None and alone:
        wider = max(1.0, (believed[1] - believed[0]) / 2.0 / alone)
    for wanted in R2_WIDTHS:
        yield Need(
            what="designs",
            of=f"R² of {pair.small} with {pair.large}" + (" (in more blocks)" if wider > 1 else ""),
            half_width=wanted,
            needed=designs_for_r2(pair.pearson, wanted / wider),
            now=pair.n,
            half_width_now=None if alone is None else alone * wider,
        )


def _seeds(table: ScoreTable, metric: str, noise: MetricNoise) -> Iterator[Need]:
    """Seeds for effects at the largest scale that has replicates, by its pooled variance."""
    if noise.seeds is None:
        return
    at = max(int(i) for i in np.flatnonzero(noise.seeds.freedom > 0))
    replicates = int(np.max(noise.seeds.replicates[:, at]))
    run = _run_variance(seed_runs(table, metric), noise, at)
    if run is None:
        return
    designs = max(2, len(table.designs))
    for wanted in _widths(table, metric):
        yield Need(
            what="seeds",
            of=f"a level's effect at {table.scales[at]}",
            half_width=wanted,
            needed=seeds_for_effect(run.value, wanted, designs=designs),
            now=replicates,
            half_width_now=effect_half_width_of_seeds(run.value, replicates, designs),
            freedom=run.freedom,
        )


def _run_variance(seeds: SeedRuns, noise: MetricNoise, scale: int) -> Variance | None:
    """Variance of one run, as it counts in differences, from the design with most seeds."""
    if noise.seeds is None or len(noise.seeds.replicates) < 2:
        return None
    count = noise.seeds.replicates[:, scale]
    first, second = np.argsort(-count, kind="stable")[:2].tolist()
    found = difference_seed_variance(seeds, noise, (first, second), scale)
    share = 1.0 / max(1, int(count[first])) + 1.0 / max(1, int(count[second]))
    return None if found is None else Variance(found.value / share, found.freedom)


def _items(
    table: ScoreTable, metric: str, noise: MetricNoise, items: ItemScores | None
) -> Iterator[Need]:
    """Items for effects at the largest scale, by the median item error of differences to the mean.

    A design's error about the mean of all is taken times sqrt 2 for a difference of two designs.
    """
    if items is None or noise.influence is None:
        return
    own = noise.influence[:, -1]
    own = own[np.isfinite(own).all(axis=1)]
    if len(own) < 2:
        return
    apart = own - own.mean(axis=0)
    unbiased = len(own) / (len(own) - 1.0)
    error = float(np.sqrt(2.0 * unbiased * np.median(np.sum(apart**2, axis=1))))
    for wanted in _widths(table, metric):
        yield Need(
            what="items",
            of=f"a level's effect at {table.scales[-1]}",
            half_width=wanted,
            needed=items_for_effect(error, items.n_items, wanted) if error > 0 else None,
            now=items.n_items,
            half_width_now=Z95 * error,
            freedom=items.n_clusters - 1.0,
        )


def _widths(table: ScoreTable, metric: str) -> list[float]:
    scores = table.grid(metric)[table.scales[-1]].dropna().to_numpy(dtype=float)
    spread = float(np.ptp(scores)) if scores.size else 0.0
    return [share * spread for share in EFFECT_SHARES if spread > 0]


def _subsets(table: ScoreTable, pair: Pair, seed: int) -> Iterator[NamedSubset]:
    """Which designs to run at the large scale, as if only the small one had been run."""
    shared = table.grid(pair.metric).loc[list(table.names), [pair.small, pair.large]].dropna()
    x, y = (shared[scale].to_numpy(dtype=float) for scale in (pair.small, pair.large))
    sigma = residual_error(x, y, pair.slope, pair.intercept)
    if sigma is None or pair.slope is None:
        return
    sign = table.direction(pair.metric)
    ks = np.unique(np.linspace(FEWEST_FOR_SLOPE, x.size - 1, SUBSET_SIZES).astype(int)).tolist()
    found = plan_subsets(
        sign * x, slope=pair.slope, sigma=sigma, ks=ks, rng=np.random.default_rng(seed)
    )
    for subset in found:
        yield NamedSubset(
            pair.small,
            pair.large,
            subset.strategy,
            subset.k,
            tuple(str(shared.index[i]) for i in subset.designs),
            subset.slope_half_width,
            subset.slope_error_ratio,
            subset.expected_loss,
            subset.loss_error,
        )


def residual_error(
    small: Scores, large: Scores, slope: float | None, intercept: float | None
) -> float | None:
    r"""Residual standard deviation about the line, $\sqrt{\sum e^2 / (n - 2)}$, in points.

    None for fewer than 5 designs, no line, or a line through all designs.
    """
    if small.size < FEWEST_DESIGNS or slope is None or intercept is None:
        return None
    rest = large - intercept - slope * small
    sigma = float(np.sqrt(rest @ rest / (small.size - 2)))
    return sigma if sigma > 1e-12 * float(np.abs(large).max(initial=0.0)) else None
