"""The order of designs at every scale, for the chart that shows who passes whom."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class DesignRank:
    """A design's place at one scale among the `n` designs that every scale has.

    1 is the best; tied designs share the mean of their places. Field names are report.json's.
    """

    metric: str
    design: str
    scale: str
    rank: float
    n: int


def rank_designs(table: ScoreTable, metric: str) -> list[DesignRank]:
    """Rank the designs that have a score at every scale; none where fewer than two have."""
    ranks = rank_grid(table, metric)
    return [
        DesignRank(metric, design, scale, float(ranks.at[design, scale]), len(ranks))
        for design in ranks.index
        for scale in table.scales
    ]


def rank_grid(table: ScoreTable, metric: str) -> pd.DataFrame:
    """The same as a table: a row per design, best at the largest scale first; empty where none."""
    if len(table.scales) < 2:
        return pd.DataFrame(columns=list(table.scales))
    upside_down = metric in table.lower_is_better
    ranks = table.grid(metric).dropna().rank(ascending=upside_down, method="average")
    if len(ranks) < 2:
        return ranks.iloc[:0]
    return ranks.sort_values(list(reversed(table.scales)), kind="stable")
