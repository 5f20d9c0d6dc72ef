"""The scale x design interaction of every metric, by whatever gives an error term."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.statistics.interaction import AnovaRow, crossed_anova, nested_anova, video_values
from analysis.statistics.item_scores import ItemScores
from analysis.table.table import ScoreTable

Source = Literal["seeds", "items"]
NoTest = Literal[
    "neither seeds nor items give an error term",
    "fewer than two scales or designs",
]


@dataclass(frozen=True)
class ScaleInteraction:
    """Analysis of variance of one metric; field names are those of report.json.

    `source` says what the error is made of: runs with other seeds, or answers to other items (whole
    videos). None with `not_testable` saying why there is no test. `designs` count.
    """

    metric: str
    source: Source | None
    designs: int
    rows: tuple[AnovaRow, ...]
    not_testable: NoTest | None


def analyse_interaction(
    table: ScoreTable, metric: str, items: ItemScores | None, *, seed: int
) -> list[ScaleInteraction]:
    """Test whether designs differ alike at every scale: by seeds, by items, or not at all."""
    if len(table.scales) < 2 or len(table.designs) < 2:
        return [ScaleInteraction(metric, None, 0, (), "fewer than two scales or designs")]
    found = [
        part
        for part in (_by_seeds(table, metric, seed), _by_items(metric, items, seed))
        if part is not None
    ]
    reason: NoTest = "neither seeds nor items give an error term"
    return found or [ScaleInteraction(metric, None, 0, (), reason)]


def _by_seeds(table: ScoreTable, metric: str, seed: int) -> ScaleInteraction | None:
    rows = table.rows[(table.rows["metric"] == metric) & table.rows["score"].notna()]
    # In an order that no order of rows changes, for the draws.
    rows = rows.sort_values(["design", "scale", "seed", "score"], kind="stable")
    design = pd.Index(table.names).get_indexer(rows["design"])
    scale = pd.Index(table.scales).get_indexer(rows["scale"])
    found = nested_anova(
        rows["score"].to_numpy(dtype=float), scale, design, rng=np.random.default_rng(seed)
    )
    designs = int(np.unique(design).size)
    return ScaleInteraction(metric, "seeds", designs, found, None) if found else None


def _by_items(metric: str, items: ItemScores | None, seed: int) -> ScaleInteraction | None:
    if items is None:
        return None
    values = video_values(items)
    complete = np.isfinite(values).all(axis=(0, 2))
    found = crossed_anova(values[:, complete], rng=np.random.default_rng(seed))
    return ScaleInteraction(metric, "items", int(complete.sum()), found, None) if found else None
