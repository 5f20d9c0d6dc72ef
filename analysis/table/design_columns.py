"""Which columns of a tidy table describe its designs."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import pandas as pd

from analysis.errors import TableError
from analysis.table.options import TableOptions

# What a design's column holds on an axis that it leaves alone (the score-table contract).
BASE = "base"
# Columns of the tidy form that are never an axis.
_NOT_AXES = frozenset(
    {"design", "scale", "scale_size", "seed", "metric", "score", "chance", "n_items"}
)


def find_axes(tidy: pd.DataFrame, options: TableOptions) -> tuple[str, ...]:
    """Find the axes: named ones, several design columns, or whatever describes a tidy design.

    In the tidy form that is every further column that is constant within a design and holds more
    than one level; one that is different for every design and never `base` is an id, no axis.
    """
    if options.axes:
        return options.axes
    if options.design != ("design",):
        named = tuple(column for column in options.design if column not in _NOT_AXES)
        return named if len(options.design) > 1 else ()
    reserved = _NOT_AXES | {options.scale, options.seed, *options.scores}
    rest = [
        column
        for column in tidy.columns
        if column not in reserved and not column.startswith("block")
    ]
    return tuple(column for column in rest if _describes_designs(tidy, column))


def _describes_designs(tidy: pd.DataFrame, column: str) -> bool:
    levels = tidy[column].unique()
    constant = len(tidy[["design", column]].drop_duplicates()) == tidy["design"].nunique()
    is_id = len(levels) == tidy["design"].nunique() and BASE not in levels
    return constant and len(levels) > 1 and not is_id


def refuse_varying(tidy: pd.DataFrame, column: str) -> None:
    """Raise TableError, with two rows, where a design has two values of a column."""
    values = tidy[["design", column]].drop_duplicates()
    varying = values[values.duplicated("design", keep=False)]
    if len(varying):
        (_, a), (_, b) = varying[varying["design"] == varying["design"].iloc[0]].iloc[:2].iterrows()
        raise TableError(
            f"rows {a.name} and {b.name}: design {a['design']!r} has two values of {column!r},"
            f" {a[column]!r} and {b[column]!r}; add {column} to --design, or leave it out."
        )
