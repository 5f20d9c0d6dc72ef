"""What each axis does: effects of its levels against base, and pairs that differ in it alone."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.table import BASE, ScoreTable


@dataclass(frozen=True)
class Effect:
    """A level's mean score less base's at one scale, over `n` pairs that differ in nothing else."""

    level: str
    scale: str
    n: int
    effect: float


@dataclass(frozen=True)
class Matched:
    """Decision accuracy over the `n` pairs of designs that differ in this axis alone."""

    small: str
    large: str
    n: int
    decision_accuracy: float | None


@dataclass(frozen=True)
class AxisReport:
    """One axis under one metric. `effects` is empty where no level is called `base`."""

    axis: str
    metric: str
    levels: tuple[str, ...]
    effects: tuple[Effect, ...]
    matched: tuple[Matched, ...]


def compare_axes(table: ScoreTable) -> list[AxisReport]:
    """Report every axis under every metric of the table."""
    pairs = {axis: matched_pairs(table.designs, table.axes, axis) for axis in table.axes}
    return [
        AxisReport(
            axis=axis,
            metric=metric,
            levels=tuple(table.designs[axis].unique()),
            effects=tuple(_effects(table.designs[axis], table.grid(metric), pairs[axis])),
            matched=tuple(_agreements(table.grid(metric), pairs[axis])),
        )
        for metric in table.metrics
        for axis in table.axes
    ]


def matched_pairs(designs: pd.DataFrame, axes: tuple[str, ...], axis: str) -> list[tuple[str, str]]:
    """List the pairs of designs that have another level on `axis` and the same on all others."""
    others = [name for name in axes if name != axis]
    groups = [part for _, part in designs.groupby(others, sort=False)] if others else [designs]
    return [
        (first, second)
        for group in groups
        for first, second in combinations(group.index, 2)
        if group.at[first, axis] != group.at[second, axis]
    ]


def _effects(
    levels: pd.Series, grid: pd.DataFrame, pairs: Iterable[tuple[str, str]]
) -> Iterable[Effect]:
    """Average level less base over matched pairs that have a score at the scale on both sides."""
    against_base: dict[str, list[tuple[str, str]]] = {}
    for first, second in pairs:
        for design, base in ((first, second), (second, first)):
            if levels[base] == BASE:
                against_base.setdefault(levels[design], []).append((design, base))
    for level, matches in against_base.items():
        designs, bases = (list(side) for side in zip(*matches, strict=True))
        for scale in grid.columns:
            gaps = grid.loc[designs, scale].to_numpy() - grid.loc[bases, scale].to_numpy()
            gaps = gaps[~np.isnan(gaps)]
            if gaps.size:
                yield Effect(level, scale, int(gaps.size), float(gaps.mean()))


def _agreements(grid: pd.DataFrame, pairs: list[tuple[str, str]]) -> Iterable[Matched]:
    """Count how often two scales order a matched pair alike; a tie at either counts 1/2."""
    firsts, seconds = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    order = np.sign(grid.loc[firsts].to_numpy() - grid.loc[seconds].to_numpy())
    for small, large in combinations(range(len(grid.columns)), 2):
        agreement = (1.0 + order[:, small] * order[:, large]) / 2.0
        agreement = agreement[~np.isnan(agreement)]
        share = float(agreement.mean()) if agreement.size else None
        yield Matched(grid.columns[small], grid.columns[large], int(agreement.size), share)
