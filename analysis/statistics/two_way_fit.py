"""Least squares of scale and design on the means of cells, however many designs there are.

Each cell holds the runs of one design at one scale. Values are weighted by the root of a cell's
runs, so that sums of squares over cells are those over runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.scores import Scores
from analysis.statistics.weighted import chunks

# Numbers that one permutation test may look at; beyond it is left out rather than cut short.
ROOM = 40_000_000


@dataclass(frozen=True)
class Cells:
    """Runs summed up by cell, all that least squares needs: shape (cells,) each.

    `within` is the sum of squares of runs about their cell's mean, on `freedom` degrees.
    """

    scale: NDArray[np.intp]
    design: NDArray[np.intp]
    mean: Scores
    count: NDArray[np.intp]
    within: float
    freedom: int


def sum_up(scores: Scores, scale: NDArray[np.intp], design: NDArray[np.intp]) -> Cells:
    """Sum runs up by cell; cells come in the order of design, then scale."""
    width = int(scale.max(initial=0)) + 1
    place, code, count = np.unique(design * width + scale, return_inverse=True, return_counts=True)
    mean = np.bincount(code, weights=scores) / count if place.size else np.zeros(0)
    within = float(np.sum((scores - mean[code]) ** 2)) if place.size else 0.0
    return Cells(place % width, place // width, mean, count, within, int(scores.size - place.size))


def scale_basis(cells: Cells) -> Scores:
    """Orthonormal basis of what scales add to designs, over cells weighted by the root of runs.

    Taking each design's own mean away first leaves few columns however many designs there are.
    """
    weight = np.sqrt(cells.count)
    dummies = (cells.scale[:, None] == np.unique(cells.scale)).astype(float)
    rest = _without_design(cells, (weight[:, None] * dummies).T).T
    basis, values, _ = np.linalg.svd(rest, full_matrices=False)
    return basis[:, values > 1e-10 * max(1.0, float(values.max(initial=0.0)))]


def _without_design(cells: Cells, weighted: Scores) -> Scores:
    """Take each design's weighted mean away from root-weighted values, shape (..., cells)."""
    weight = np.sqrt(cells.count)
    starts = np.flatnonzero(np.diff(cells.design, prepend=-1))
    runs = np.diff(np.append(starts, cells.design.size))
    total = np.add.reduceat(cells.count.astype(float), starts)
    mean = np.add.reduceat(weighted * weight, starts, axis=-1) / total
    return weighted - weight * np.repeat(mean, runs, axis=-1)


def additive_rest(cells: Cells, scales: Scores, weighted: Scores) -> Scores:
    """Residual sums of squares of the additive model, of root-weighted means (draws, cells)."""
    rest = _without_design(cells, weighted)
    return np.sum((rest - (rest @ scales) @ scales.T) ** 2, axis=-1)


def group_rest(cells: Cells, groups: NDArray[np.intp]) -> float:
    """Residual sum of squares of the cells' means about their groups' weighted means."""
    total = np.bincount(groups, weights=cells.count)
    means = np.bincount(groups, weights=cells.count * cells.mean) / np.maximum(total, 1)
    return float(np.sum(cells.count * (cells.mean - means[groups]) ** 2))


def permutation_p(
    scores: Scores,
    scale: NDArray[np.intp],
    design: NDArray[np.intp],
    cells: Cells,
    scales: Scores,
    rng: np.random.Generator,
    draws: int,
) -> float | None:
    """Share of shuffled residuals with at least as large an F; None where it would take too long.

    Fitted additive values drop out of both sums of squares, so that residuals alone are shuffled.
    """
    if scores.size * draws > ROOM:
        return None
    weight = np.sqrt(cells.count)
    rest = _without_design(cells, (weight * cells.mean)[None, :])[0]
    fitted = cells.mean - (rest - scales @ (scales.T @ rest)) / weight
    # Runs in the order of their cells, which come by design, then scale.
    order = np.lexsort((scale, design))
    residuals = scores[order] - np.repeat(fitted, cells.count)
    at = float(_f_like(cells, scales, residuals[None, :])[0])
    if not np.isfinite(at):
        return None
    reached = 1
    for rows in chunks(draws, scores.size):
        drawn = np.tile(residuals, (rows.stop - rows.start, 1))
        reached += int(
            np.sum(_f_like(cells, scales, rng.permuted(drawn, axis=1)) >= at * (1 - 1e-9))
        )
    return reached / (draws + 1)


def _f_like(cells: Cells, scales: Scores, residuals: Scores) -> Scores:
    """Interaction over error sum of squares of residuals in the order of cells, (draws, runs)."""
    starts = np.append(0, np.cumsum(cells.count)[:-1])
    weighted = np.add.reduceat(residuals, starts, axis=1) / np.sqrt(cells.count)
    within = np.sum(residuals**2, axis=1) - np.sum(weighted**2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return additive_rest(cells, scales, weighted) / within
