"""What the order of designs at a pair of scales rests on, from a score table."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.findings.pair_breakdown import MANY_LEVELS
from analysis.statistics.robustness import DecisionRange, decision_range
from analysis.table.table import BASE, ScoreTable


@dataclass(frozen=True)
class Robustness:
    """Ranges of decision accuracy over parts left out; field names are those of report.json.

    `designs` leaves out one design at a time, `axes` all designs that an axis changed from base,
    `levels` the designs of each level of a column. Those of R² are in the pair's `breakdown`.
    """

    metric: str
    small: str
    large: str
    designs: DecisionRange
    axes: DecisionRange
    levels: dict[str, DecisionRange]


def leave_out(table: ScoreTable, metric: str) -> Iterator[Robustness]:
    """Leave out designs, axes and levels at every pair of scales."""
    grid = table.grid(metric).loc[list(table.names)]
    for small, large in combinations(table.scales, 2):
        shared = grid[[small, large]].dropna()
        x, y = (shared[scale].to_numpy(dtype=float) for scale in (small, large))
        designs = table.designs.loc[shared.index]
        single = np.eye(len(designs), dtype=bool)
        yield Robustness(
            metric,
            small,
            large,
            designs=decision_range(x, y, dict(zip(designs.index, single, strict=True))),
            axes=decision_range(x, y, _changed(designs, table.axes)),
            levels={
                name: decision_range(x, y, _levels(designs, name))
                for name in dict.fromkeys((*table.axes, *table.blocks))
                if 1 < designs[name].nunique() <= MANY_LEVELS
            },
        )


def _changed(designs: pd.DataFrame, axes: tuple[str, ...]) -> dict[str, NDArray[np.bool_]]:
    changed = {axis: (designs[axis] != BASE).to_numpy() for axis in axes}
    return {axis: out for axis, out in changed.items() if out.any() and not out.all()}


def _levels(designs: pd.DataFrame, column: str) -> dict[str, NDArray[np.bool_]]:
    return {
        level: (designs[column] == level).to_numpy() for level in sorted(designs[column].unique())
    }
