"""Everything that the pairs of scales of one metric share: scores, noise, draws and halvings."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.findings.metric_noise import Errors, draw_errors, metric_noise
from analysis.statistics.held_out import HeldOut, held_out, item_halves, part_halves
from analysis.statistics.item_scores import ItemScores
from analysis.statistics.noise import MetricNoise
from analysis.statistics.scores import Scores
from analysis.table.table import ScoreTable

OVERALL = "overall"
# Halves of fewer categories are single categories, or nearly so.
FEWEST_CATEGORIES = 4


@dataclass(frozen=True)
class Halves:
    """Scores of every cell on either half, shape (splits, designs, scales); `of` says of what."""

    of: str
    parts: int
    first: Scores
    second: Scores


@dataclass(frozen=True)
class MetricView:
    """One metric; designs by name and scales from small to large, in every array.

    `halves` is None where neither items nor enough categories can be halved.
    """

    metric: str
    grid: pd.DataFrame
    noise: MetricNoise
    errors: Errors
    halves: Halves | None

    def places(
        self, designs: pd.Index, small: str, large: str
    ) -> tuple[NDArray[np.intp], int, int]:
        """Return where designs and two scales stand in the arrays."""
        scales = self.grid.columns
        at = self.grid.index.get_indexer(designs)
        return at, scales.get_loc(small), scales.get_loc(large)

    def errors_of(self, designs: pd.Index, small: str, large: str) -> tuple[Errors, Errors]:
        """Return the drawn errors of designs at two scales, each of shape (draws, n)."""
        at, *scales = self.places(designs, small, large)
        return tuple(
            Errors(
                *(
                    None if e is None else e[:, at, s]
                    for e in (self.errors.seeds, self.errors.items)
                )
            )
            for s in scales
        )

    def held_out(self, designs: pd.Index, small: str, large: str) -> HeldOut | None:
        """Compare two scales on different halves of the items or categories."""
        if self.halves is None or len(designs) < 2:
            return None
        at, s, t = self.places(designs, small, large)
        first, second = self.halves.first[:, at], self.halves.second[:, at]
        if not (np.isfinite(first[..., [s, t]]).all() and np.isfinite(second[..., [s, t]]).all()):
            return None
        sides = [(first[..., scale], second[..., scale]) for scale in (s, t)]
        return held_out(sides[0], sides[1], of=self.halves.of, parts=self.halves.parts)


def view_metric(
    table: ScoreTable, metric: str, items: ItemScores | None, *, draws: int, seed: int
) -> MetricView:
    """Gather a metric's scores and noise, and draw its errors and halvings.

    Args:
        items: the answers behind the metric, if known.
        draws: how many errors to draw.
        seed: of the draws.
    """
    grid = table.grid(metric).loc[list(table.names)]
    noise = metric_noise(table, metric, items)
    rng = np.random.default_rng(seed)
    return MetricView(
        metric=metric,
        grid=grid,
        noise=noise,
        errors=draw_errors(noise, rng, draws),
        halves=_halves(table, metric, items, np.random.default_rng(seed)),
    )


def _halves(
    table: ScoreTable, metric: str, items: ItemScores | None, rng: np.random.Generator
) -> Halves | None:
    if items is not None and items.n_clusters > 1:
        return Halves("videos", items.n_clusters, *item_halves(items, rng))
    prefix, _, last = metric.rpartition("/")
    parts = [m for m in table.metrics if m != metric and m.rpartition("/")[0] == prefix]
    if last != OVERALL or len(parts) < FEWEST_CATEGORIES:
        return None
    scores = np.stack(
        [table.grid(part).loc[list(table.names)].to_numpy(dtype=float) for part in sorted(parts)],
        -1,
    )
    return Halves("categories", len(parts), *part_halves(scores, rng))
