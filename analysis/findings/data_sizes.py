"""Plateaus of scores over sizes of data, where an axis of the table holds sizes."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.statistics.plateau import Plateau, find_plateau
from analysis.table.data_size import names_a_data_size
from analysis.table.table import ScoreTable

FEWEST_SIZES = 3


@dataclass(frozen=True)
class DataSizeCurve:
    """Mean score over data size at one scale; field names are those of report.json.

    `scores` average the `contexts` (what designs are but for their size) that have every size.
    """

    metric: str
    axis: str
    scale: str
    contexts: int
    sizes: tuple[float, ...]
    scores: tuple[float, ...]
    plateau: Plateau


def data_size_curves(table: ScoreTable, metric: str, *, seed: int) -> Iterator[DataSizeCurve]:
    """Look for a plateau at every scale over the column of data sizes.

    That is the one that the user named, else every axis of numbers that is named as a size.
    """
    grid = table.grid(metric)
    named = tuple(axis for axis in table.axes if names_a_data_size(axis))
    for axis in (table.data_size,) if table.data_size else named:
        sizes = np.asarray(pd.to_numeric(table.designs[axis], errors="coerce"), dtype=float)
        if not (sizes > 0).all() or np.unique(sizes).size < FEWEST_SIZES:
            continue
        others = [name for name in table.axes if name != axis]
        contexts = table.designs[others].agg("/".join, axis=1) if others else ""
        for scale in table.scales:
            cells = pd.DataFrame({"size": sizes, "context": contexts, "score": grid[scale]})
            laid = cells.pivot_table(index="context", columns="size", values="score").dropna()
            if laid.empty or laid.shape[1] < FEWEST_SIZES:
                continue
            x, y = laid.columns.to_numpy(dtype=float), laid.to_numpy(dtype=float).mean(axis=0)
            found = find_plateau(x, y, rng=np.random.default_rng(seed))
            yield DataSizeCurve(
                metric, axis, scale, len(laid), tuple(x.tolist()), tuple(y.tolist()), found
            )
