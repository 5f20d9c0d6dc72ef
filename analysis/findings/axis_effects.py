"""Effects of every axis' levels at every scale, and how they transfer, from a score table.

The reference level is `base` where the axis has it, else the axis' first level by name.
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.findings.axes import matched_pairs
from analysis.statistics.effect_transfer import EffectTransfer, effect_transfer
from analysis.statistics.effects import (
    PairedEffect,
    Variance,
    holm,
    paired_effect,
    paired_seed_variance,
)
from analysis.statistics.noise import MetricNoise
from analysis.table.table import BASE, ScoreTable

# What effects of all axes together are called.
ALL = "all axes"


@dataclass(frozen=True, kw_only=True)
class LevelEffect(PairedEffect):
    """A level less the reference at one scale; field names are those of report.json.

    `p_holm` is adjusted over all tested effects of the axis under the metric, at all scales.
    """

    axis: str
    level: str
    scale: str
    p_holm: float | None


@dataclass(frozen=True, kw_only=True)
class Transfer(EffectTransfer):
    """How the effects of an axis (or of all) at the small scale come back at the large one."""

    small: str
    large: str


@dataclass(frozen=True)
class AxisEffects:
    """All effects of one axis under one metric; `axis` is "all axes" where they are pooled.

    `reference` is the level they are taken against. Pooled entries have transfers only.
    """

    metric: str
    axis: str
    reference: str
    effects: tuple[LevelEffect, ...]
    transfers: tuple[Transfer, ...]


@dataclass(frozen=True)
class SeedRuns:
    """Single runs of one metric: those of each design and scale by seed.

    `runs` has shape (designs, scales, seeds), NaN where there is none. `repeated` is true where one
    seed stands for several runs of a cell, so that seeds pair nothing.
    """

    runs: NDArray[np.float64]
    repeated: bool


def find_effects(table: ScoreTable, metric: str, noise: MetricNoise) -> list[AxisEffects]:
    """Measure every axis under a metric, then all axes together where there are several."""
    seeds = seed_runs(table, metric)
    found = [_axis_effects(table, metric, axis, noise, seeds) for axis in table.axes]
    kept = [axis for axis in found if axis.effects]
    if len(kept) > 1:
        pooled = [effect for axis in kept for effect in axis.effects]
        reference = BASE if all(axis.reference == BASE for axis in kept) else "each axis' own"
        kept.append(AxisEffects(metric, ALL, reference, (), _transfers(table.scales, pooled)))
    return kept


def seed_runs(table: ScoreTable, metric: str) -> SeedRuns:
    """Lay single runs out by design (in the order of names), scale and seed."""
    rows = table.rows[(table.rows["metric"] == metric) & table.rows["score"].notna()]
    design = pd.Index(table.names).get_indexer(rows["design"])
    scale = pd.Index(table.scales).get_indexer(rows["scale"])
    seed, names = pd.factorize(rows["seed"])
    runs = np.full((len(table.designs), len(table.scales), len(names)), np.nan)
    runs[design, scale, seed] = rows["score"].to_numpy(dtype=float)
    cells = rows.duplicated(["design", "scale", "seed"])
    return SeedRuns(runs, bool(cells.any()))


def difference_seed_variances(
    seeds: SeedRuns, noise: MetricNoise, pairs: NDArray[np.intp], scale: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Variances of differences of two designs' means at a scale, by their seeds.

    Where both ran the same K >= 2 seeds, which are also those of other designs: $2 s^2 / K$ with
    the paired variance of all designs with these seeds. Else $s^2 (1/K_a + 1/K_b)$ with the pooled
    variance within cells, which counts what seeds do to all designs as noise and errs on the wide
    side.

    Args:
        pairs: places of two designs each, shape (pairs, 2).

    Returns:
        Points squared and degrees of freedom, shape (pairs,) each; NaN where nothing is known.
    """
    values, freedoms = np.full((2, len(pairs)), np.nan)
    if noise.seeds is not None and noise.seeds.freedom[scale] > 0:
        values = noise.seeds.variance[pairs, scale].sum(axis=1)
        freedoms = np.full(len(pairs), noise.seeds.freedom[scale])
    if seeds.repeated:
        return values, freedoms
    patterns, of = np.unique(np.isfinite(seeds.runs[:, scale]), axis=0, return_inverse=True)
    for code, pattern in enumerate(patterns):
        paired = paired_seed_variance(seeds.runs[of == code, scale][:, pattern])
        if paired is not None:
            same = (of[pairs] == code).all(axis=1)
            values[same] = 2.0 * paired.value / float(pattern.sum())
            freedoms[same] = paired.freedom
    return values, freedoms


def difference_seed_variance(
    seeds: SeedRuns, noise: MetricNoise, pair: tuple[int, int], scale: int
) -> Variance | None:
    """The variance of one difference (`difference_seed_variances`); None where not known."""
    values, freedoms = difference_seed_variances(seeds, noise, np.array([pair]), scale)
    known = bool(np.isfinite(values[0]))
    return Variance(float(values[0]), float(freedoms[0])) if known else None


def _axis_effects(
    table: ScoreTable, metric: str, axis: str, noise: MetricNoise, seeds: SeedRuns
) -> AxisEffects:
    levels = set(table.designs[axis])
    reference = BASE if BASE in levels else min(levels)
    grid = table.grid(metric).loc[list(table.names)].to_numpy(dtype=float)
    matches = _against(table, axis, reference)
    measured = [
        (level, scale, _measure(grid, pairs, at, noise, seeds))
        for level, pairs in matches.items()
        for at, scale in enumerate(table.scales)
        if np.isfinite(grid[pairs[:, 0], at] - grid[pairs[:, 1], at]).any()
    ]
    adjusted = holm([effect.p for _, _, effect in measured])
    effects = tuple(
        LevelEffect(**asdict(effect), axis=axis, level=level, scale=scale, p_holm=p)
        for (level, scale, effect), p in zip(measured, adjusted, strict=True)
    )
    return AxisEffects(metric, axis, reference, effects, _transfers(table.scales, effects))


def _against(table: ScoreTable, axis: str, reference: str) -> dict[str, NDArray[np.intp]]:
    """Per level: places of (design, its match at the reference level), shape (contexts, 2)."""
    levels = table.designs[axis].to_dict()
    found: dict[str, list[tuple[str, str]]] = {}
    for first, second in matched_pairs(table.designs, table.axes, axis):
        for design, other in ((first, second), (second, first)):
            if levels[other] == reference:
                found.setdefault(str(levels[design]), []).append((design, other))
    index = pd.Index(table.names)
    return {
        level: np.column_stack([index.get_indexer(side) for side in zip(*pairs, strict=True)])
        for level, pairs in found.items()
    }


def _measure(
    grid: NDArray[np.float64],
    pairs: NDArray[np.intp],
    scale: int,
    noise: MetricNoise,
    seeds: SeedRuns,
) -> PairedEffect:
    differences = grid[pairs[:, 0], scale] - grid[pairs[:, 1], scale]
    known = np.isfinite(differences)
    pairs = pairs[known]
    by_seed = [difference_seed_variance(seeds, noise, (a, b), scale) for a, b in pairs[:1].tolist()]
    influence = None
    if noise.influence is not None:
        influence = noise.influence[pairs[:, 0], scale] - noise.influence[pairs[:, 1], scale]
    return paired_effect(
        differences[known],
        seeds=[variance for variance in by_seed if variance is not None],
        influence=None if influence is None or np.isnan(influence).any() else influence,
    )


def _transfers(scales: Sequence[str], effects: Iterable[LevelEffect]) -> tuple[Transfer, ...]:
    """Compare the effects of every two scales, over the levels measured at both."""
    measured: dict[str, dict[tuple[str, str], LevelEffect]] = {scale: {} for scale in scales}
    for effect in effects:
        measured[effect.scale][effect.axis, effect.level] = effect
    return tuple(
        _transfer(small, large, measured[small], measured[large])
        for small, large in combinations(scales, 2)
    )


def _transfer(
    small: str,
    large: str,
    at_small: Mapping[tuple[str, str], LevelEffect],
    at_large: Mapping[tuple[str, str], LevelEffect],
) -> Transfer:
    shared = [level for level in at_small if level in at_large]
    x, y = ([side[level] for level in shared] for side in (at_small, at_large))
    found = effect_transfer(
        np.array([effect.effect for effect in x]),
        np.array([effect.effect for effect in y]),
        small_se=_errors(x),
        large_se=_errors(y),
    )
    return Transfer(**asdict(found), small=small, large=large)


def _errors(effects: Sequence[LevelEffect]) -> NDArray[np.float64] | None:
    known = [effect.se for effect in effects if effect.se is not None]
    return np.array(known) if known and len(known) == len(effects) else None
