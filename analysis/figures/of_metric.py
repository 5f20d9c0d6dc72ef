"""Choose and draw the figures of one metric: all for a few metrics, the main ones for many."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from analysis.figures.data_sizes import draw_data_sizes
from analysis.figures.effects import draw_effects
from analysis.figures.heatmap import DECISIONS, R2, draw_heatmap
from analysis.figures.margins import draw_margins
from analysis.figures.noise import draw_noise
from analysis.figures.proxies import draw_proxies
from analysis.figures.ranks import draw_ranks
from analysis.figures.scatter import CellErrors, draw_scatter
from analysis.figures.style import Picture
from analysis.findings.findings import Findings
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import trusts_blocks
from analysis.findings.ranks import rank_grid
from analysis.table.table import ScoreTable

# More scatters than this make a page that nobody reads; then only pairs into the largest scale.
MANY_SCATTERS = 24
# With more metrics than this each gets its heatmap of R², ranks, effects and one scatter.
MANY_METRICS = 4


@dataclass(frozen=True)
class MetricPictures:
    """The figures of one metric; None or empty where there is nothing to draw, or no room."""

    r2: Picture | None = None
    decisions: Picture | None = None
    scatters: tuple[Picture, ...] = ()
    ranks: Picture | None = None
    margins: Picture | None = None
    effects: tuple[Picture, ...] = ()
    proxies: Picture | None = None
    noise: Picture | None = None
    data_sizes: tuple[Picture, ...] = ()

    def drawn(self) -> Iterator[Picture]:
        """Go through all of them in the order of the page."""
        single = (self.r2, self.decisions, self.ranks, self.margins, self.proxies, self.noise)
        yield from (picture for picture in single if picture is not None)
        yield from (*self.scatters, *self.effects, *self.data_sizes)


def draw_metric(
    table: ScoreTable, found: Findings, metric: str, unit: str, *, n_metrics: int
) -> MetricPictures:
    """Draw one metric of a page of `n_metrics`; `unit` is that of its scores."""
    stem, full = file_stem(table.metrics.index(metric), metric), n_metrics <= MANY_METRICS
    pairs = [pair for pair in found.pairs if pair.metric == metric]
    into = [pair for pair in pairs if pair.large == table.scales[-1]]
    effects = [
        draw_effects(f"{stem}_effects_{file_stem(at, axis.axis)}", axis, table.scales, unit)
        for at, axis in enumerate(e for e in found.effects if e.metric == metric and e.effects)
    ]
    if not pairs:
        return MetricPictures(effects=tuple(p for p in effects if p))
    proxies = [proxy for proxy in found.proxies if proxy.metric == metric]
    return MetricPictures(
        r2=_agreements(stem, table, pairs),
        decisions=_decisions(stem, table, pairs) if full else None,
        scatters=tuple(_scatters(table, found, pairs, stem, unit, n_metrics)),
        ranks=draw_ranks(f"{stem}_ranks", metric, rank_grid(table, metric)),
        margins=draw_margins(f"{stem}_margins", into, unit) if full else None,
        effects=tuple(p for p in effects if p),
        proxies=draw_proxies(f"{stem}_proxies", proxies, unit) if full else None,
        noise=draw_noise(f"{stem}_noise", pairs) if full else None,
        data_sizes=tuple(_data_sizes(found, metric, stem, unit)),
    )


def _agreements(stem: str, table: ScoreTable, pairs: list[Pair]) -> Picture:
    known = any(trusts_blocks(pair) for pair in pairs)
    source = "the 95 % interval to believe" if known else "Fisher's 95 % interval"
    return draw_heatmap(f"{stem}_r2", pairs[0].metric, table.scales, pairs, R2, source)


def _decisions(stem: str, table: ScoreTable, pairs: list[Pair]) -> Picture:
    name, source = f"{stem}_decision_accuracy", "the 95 % interval to believe"
    return draw_heatmap(name, pairs[0].metric, table.scales, pairs, DECISIONS, source)


def _scatters(
    table: ScoreTable, found: Findings, pairs: list[Pair], stem: str, unit: str, n_metrics: int
) -> Iterator[Picture]:
    errors = cell_errors_of(found, pairs[0].metric)
    place = {scale: file_stem(at, scale) for at, scale in enumerate(table.scales)}
    for pair in pairs:
        into = pair.large == table.scales[-1]
        nearest = into and pair.small == table.scales[-2]
        few = n_metrics * len(pairs) <= MANY_SCATTERS
        if pair.n > 1 and (nearest or (n_metrics <= MANY_METRICS and (few or into))):
            name = f"{stem}_{place[pair.small]}_{place[pair.large]}"
            yield draw_scatter(name, table, pair, unit, errors)


def cell_errors_of(found: Findings, metric: str) -> CellErrors:
    """The standard error of every cell of a metric that has one."""
    return {
        (error.design, error.scale): error.se
        for error in found.cell_errors
        if error.metric == metric and error.se is not None
    }


def _data_sizes(found: Findings, metric: str, stem: str, unit: str) -> Iterator[Picture]:
    curves = [c for a in found.across_scales if a.metric == metric for c in a.plateaus]
    for at, (axis, own) in enumerate(groupby(curves, key=lambda curve: curve.axis)):
        yield draw_data_sizes(f"{stem}_sizes_{file_stem(at, axis)}", list(own), unit)


def file_stem(position: int, name: str) -> str:
    """Make a file name of any metric or scale name; the number keeps two names apart."""
    return f"{position}-" + re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:40]
