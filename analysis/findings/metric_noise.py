"""Gather what a score table and an item table tell of the noise of one metric, and draw it."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.item_scores import ItemScores, influence, resample, scores_under
from analysis.statistics.noise import MetricNoise, resample_seeds, seed_noise
from analysis.statistics.scores import Scores
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class Errors:
    """Drawn score less the table's of every cell, shape (draws, designs, scales); None: unknown."""

    seeds: Scores | None
    items: Scores | None


@dataclass(frozen=True)
class CellError:
    """Standard error of one cell's mean score in points, and its parts; None: not known."""

    metric: str
    design: str
    scale: str
    se: float | None
    se_seeds: float | None
    se_items: float | None


def metric_noise(table: ScoreTable, metric: str, items: ItemScores | None) -> MetricNoise:
    """Gather the noise of a metric's cells; designs by name, scales from small to large."""
    rows = table.rows[(table.rows["metric"] == metric) & table.rows["score"].notna()]
    design = pd.Index(table.names).get_indexer(rows["design"])
    scale = pd.Index(table.scales).get_indexer(rows["scale"])
    shape = (len(table.designs), len(table.scales))
    seeds = seed_noise(rows["score"].to_numpy(dtype=float), design * shape[1] + scale, shape=shape)
    # One video tells nothing of what another would have shown.
    known = items if items is not None and items.n_clusters > 1 else None
    return MetricNoise(seeds, known, influence(known) if known else None)


def draw_errors(noise: MetricNoise, rng: np.random.Generator, draws: int) -> Errors:
    """Draw the errors of all cells; every pair of scales reads the same draws."""
    seeds = resample_seeds(noise.seeds, rng, draws) if noise.seeds else None
    items = None
    if noise.items:
        own = scores_under(noise.items, np.ones((1, noise.items.n_clusters)))
        items = resample(noise.items, rng, draws) - own
    return Errors(seeds, items)


def cell_errors(table: ScoreTable, metric: str, noise: MetricNoise) -> list[CellError]:
    """List the standard error of every cell that has a score, where anything tells of it."""
    grid = table.grid(metric).loc[list(table.names)].to_numpy(dtype=float)
    of_seeds = of_items = np.full(grid.shape, np.nan)
    if noise.seeds is not None:
        variance = np.where(noise.seeds.freedom > 0, noise.seeds.variance, np.nan)
        of_seeds = np.sqrt(variance)
    if noise.influence is not None:
        of_items = np.sqrt(np.sum(noise.influence**2, axis=2))
    parts = np.stack([of_seeds, of_items])
    total = np.sqrt(np.nansum(parts**2, axis=0))
    return [
        CellError(
            metric,
            design,
            scale,
            se=float(total[i, j]),
            se_seeds=_number(of_seeds[i, j]),
            se_items=_number(of_items[i, j]),
        )
        for i, design in enumerate(table.names)
        for j, scale in enumerate(table.scales)
        if np.isfinite(grid[i, j]) and np.isfinite(parts[:, i, j]).any()
    ]


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
