"""The item table, read and matched to the score table: who got which question right.

One row per design, scale, seed, benchmark, regime and item (the item-table contract). It gives the
scores `benchmark/regime/category` and `benchmark/regime/overall` again, which has to be the same as
in the score table; then it can say how those would move with other items.
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.errors import TableError
from analysis.statistics.item_scores import ItemScores, collect, scores_under
from analysis.table.answers import tidy_answers
from analysis.table.options import TableOptions
from analysis.table.reading import read_rows
from analysis.table.table import ScoreTable

OVERALL = "overall"
# A score table printed to two decimals differs from the items by up to half of the last one.
PRINTED = 0.006


@dataclass(frozen=True)
class ItemTable:
    """Answers per metric of the score table; `warnings` says what of the items is not used."""

    metrics: Mapping[str, ItemScores]
    warnings: tuple[str, ...]


def _own_names(options: TableOptions, rows: pd.DataFrame) -> TableOptions:
    """The options name columns of the score table; an item table may have the usual ones."""
    return replace(
        options,
        design=("design",) if "design" in rows.columns else options.design,
        scale="scale" if "scale" in rows.columns else options.scale,
    )


def load_items(path: Path, options: TableOptions, table: ScoreTable) -> ItemTable:
    """Read an item table (CSV or Parquet) for a score table.

    Raises:
        TableError: a column is missing, `correct` is no truth value, an answer is there twice, or
            an item has two categories or videos; the row is named.
    """
    read = read_rows(path)
    rows = tidy_answers(read, _own_names(options, read))
    kept = rows["design"].isin(table.designs.index) & rows["scale"].isin(table.scales)
    notes: list[str] = []
    if not kept.all():
        first = rows.index[~kept][0]
        notes.append(
            f"item table: {int((~kept).sum())} rows are of designs or scales that the score table"
            f" lacks (first: row {first}); they are left out"
        )
    metrics: dict[str, ItemScores] = {}
    named = rows[kept].assign(name=rows["benchmark"] + "/" + rows["regime"])
    for name, part in named.groupby("name", sort=False):
        _add(metrics, notes, part, str(name), table)
    if not metrics:
        notes.append("item table: it matches no metric of the score table and is not used")
    return ItemTable(metrics, tuple(notes))


def _add(
    metrics: dict[str, ItemScores],
    notes: list[str],
    part: pd.DataFrame,
    name: str,
    table: ScoreTable,
) -> None:
    """Add the metrics of one benchmark and regime, if they give the score table's scores again."""
    items = part[["item", "video", "category"]].drop_duplicates()
    again = items["item"].duplicated(keep=False)
    if again.any():
        two = items[items["item"] == items[again]["item"].iloc[0]].iloc[:2]
        raise TableError(
            f"item table, rows {two.index[0]} and {two.index[1]}: item"
            f" {two['item'].iloc[0].split(chr(10))[-1]!r} of {name} has two categories,"
            f" {two['category'].iloc[0]!r} and {two['category'].iloc[1]!r}; it must have one."
        )
    right = _shares(part, items["item"], table)
    categories, labels = pd.factorize(items["category"])
    wanted: list[tuple[str, np.ndarray]] = [
        (f"{name}/{OVERALL}", np.ones(len(items), dtype=bool)),
        *((f"{name}/{label}", categories == code) for code, label in enumerate(labels)),
    ]
    for metric, of in wanted:
        if metric not in table.metrics:
            continue
        clusters = pd.factorize(items["video"][of], sort=True)[0]
        if clusters.max() == 0:
            notes.append(f"item table: {metric} has one video, which tells nothing of others")
            continue
        unit = _unit(right[:, of], clusters, categories[of], metric, table)
        if unit is None:
            notes.append(f"item table: it does not give the scores of {metric} again; not used")
            continue
        shape = (len(table.designs), len(table.scales))
        metrics[metric] = collect(right[:, of], clusters, categories[of], shape=shape, unit=unit)


def _shares(part: pd.DataFrame, items: pd.Series, table: ScoreTable) -> np.ndarray:
    """Share of seeds that were right, NaN where nothing was asked: shape (cells, items)."""
    design = pd.Index(table.names).get_indexer(part["design"])
    scale = pd.Index(table.scales).get_indexer(part["scale"])
    column = pd.Index(items).get_indexer(part["item"])
    width, cells = len(items), len(table.designs) * len(table.scales)
    place = (design * len(table.scales) + scale) * width + column
    asked = np.bincount(place, minlength=cells * width)
    right = np.bincount(place, weights=part["correct"], minlength=cells * width)
    with np.errstate(invalid="ignore"):
        return (right / asked).reshape(cells, width)


def _unit(
    right: np.ndarray,
    clusters: np.ndarray,
    categories: np.ndarray,
    metric: str,
    table: ScoreTable,
) -> float | None:
    """Find whether the score table writes shares (1) or per cent (100); None: other scores."""
    shape = (len(table.designs), len(table.scales))
    shares = collect(right, clusters, categories, shape=shape, unit=1.0)
    own = scores_under(shares, np.ones((1, shares.n_clusters)))[0]
    printed = table.grid(metric).loc[list(table.names)].to_numpy(dtype=float)
    both = np.isfinite(own) & np.isfinite(printed)
    for unit in (100.0, 1.0):
        if both.any() and np.abs(unit * own - printed)[both].max() <= PRINTED * max(1.0, unit / 10):
            return unit
    return None
