"""Turn rows of text, in whatever columns they came, into tidy rows: one score each."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportReturnType=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import numpy as np
import pandas as pd

from analysis.errors import TableError
from analysis.table.options import TableOptions

# Higher powers of scores beyond these are not numbers that a computer has.
LARGEST, SMALLEST = 1e30, 1e-30
# How tables write "no value here"; compared in lower case.
EMPTY = frozenset({"", "nan", "na", "n/a", "none", "null"})


def tidy_rows(rows: pd.DataFrame, options: TableOptions) -> pd.DataFrame:
    """Put every score into a row of its own.

    Args:
        rows: text columns from `reading.read_rows`, indexed by their place in the file.
        options: which columns hold what.

    Returns:
        The input's columns plus `design` (str), `scale` (str), `seed` (str, "" without one),
        `metric` (str) and `score` (float, NaN where empty). The index still names the place.

    Raises:
        TableError: a column is missing, a name is empty, a score is text, a cell is there twice.
    """
    tidy_form = not options.scores and {"metric", "score"} <= set(rows.columns)
    scores = ("score",) if tidy_form else options.scores or ("score",)
    require(rows, options.design, option="--design")
    require(rows, (options.scale,), option="--scale")
    require(rows, scores, option="--score")
    require(rows, options.blocks, option="--block")
    require(rows, options.axes, option="axes")
    require(rows, (options.data_size,) if options.data_size else (), option="--data-size")
    seed = options.seed or ("seed" if "seed" in rows.columns else None)
    require(rows, (seed,) if seed else (), option="--seed")
    # The tidy form already says its metric; a wide table has one column for each.
    parts = [
        rows.assign(score=numbers(rows, column, required=False))
        if tidy_form
        else rows.assign(metric=column, score=numbers(rows, column, required=False))
        for column in scores
    ]
    tidy = pd.concat(parts)
    tidy = tidy.assign(
        design=joined(rows, options.design, len(parts)),
        scale=np.tile(rows[options.scale].to_numpy(), len(parts)),
        seed=np.tile(rows[seed].to_numpy(), len(parts)) if seed else "",
    )
    for column in ("design", "scale", "metric"):
        _refuse_empty(tidy, column)
    _refuse_extremes(tidy)
    _refuse_duplicates(tidy, repeats_allowed=options.seed is not None)
    return tidy


def numbers(rows: pd.DataFrame, column: str, *, required: bool) -> pd.Series:
    """Parse a text column; empty gives NaN unless `required`. Raises TableError naming the row."""
    text = rows[column]
    values = pd.to_numeric(text, errors="coerce").astype(float)
    empty = text.str.lower().isin(EMPTY)
    wrong = ~np.isfinite(values) & (~empty | required)
    if wrong.any():
        at = int(np.argmax(wrong.to_numpy()))
        raise TableError(
            f"row {rows.index[at]}: {column!r} holds {text.iloc[at]!r}, not a finite number"
            + ("." if required else "; leave the cell empty where there is no score.")
        )
    return values


def require(rows: pd.DataFrame, columns: Iterable[str], *, option: str) -> None:
    """Raise TableError on the first of `columns` that the table lacks, with the nearest name."""
    for column in columns:
        if column in rows.columns:
            continue
        near = get_close_matches(column, rows.columns, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise TableError(
            f"no column {column!r} in the table ({option}).{hint}"
            f" Its columns: {', '.join(rows.columns)}."
        )


def joined(rows: pd.DataFrame, columns: tuple[str, ...], times: int) -> np.ndarray:
    """Join the design columns into one label a/b, empty where any part is empty."""
    label = rows[columns[0]]
    for column in columns[1:]:
        label = label + "/" + rows[column]
    for column in columns:
        label = label.where(rows[column] != "", "")
    return np.tile(label.to_numpy(), times)


def _refuse_empty(tidy: pd.DataFrame, column: str) -> None:
    empty = tidy[column].str.strip() == ""
    if empty.any():
        raise TableError(f"row {empty.idxmax()}: the {column} is empty; every score needs one.")


def _refuse_extremes(tidy: pd.DataFrame) -> None:
    size = np.abs(tidy["score"].to_numpy(dtype=float))
    wrong = (size > LARGEST) | ((size > 0) & (size < SMALLEST))
    if wrong.any():
        row = tidy.iloc[int(np.argmax(wrong))]
        raise TableError(
            f"row {row.name}: the score {row['score']:g} is not 0 and not between {SMALLEST:g} and"
            f" {LARGEST:g} in size; give the metric in another unit."
        )


def _refuse_duplicates(tidy: pd.DataFrame, *, repeats_allowed: bool) -> None:
    """Raise TableError where one cell (design, scale, seed, metric) stands in two rows.

    Where the user named the seed column, two different scores under one seed are two runs (other
    people's tables write one seed for all), which averaging may join; the same score twice is a
    row pasted twice, and that is refused always.
    """
    cell = ["design", "scale", "seed", "metric"]
    columns = [*cell, "score"] if repeats_allowed else cell
    again = tidy.duplicated(columns) & ~(tidy["score"].isna() & repeats_allowed)
    if not again.any():
        return
    position = int(np.argmax(again.to_numpy()))
    row = tidy.iloc[position]
    same = (tidy[columns] == row[columns]).all(axis=1).to_numpy()
    first = tidy.index[int(np.argmax(same))]
    seed = f", seed {row['seed']}" if row["seed"] else ""
    raise TableError(
        f"rows {first} and {tidy.index[position]}: the same cell twice (design {row['design']},"
        f" scale {row['scale']}{seed}, metric {row['metric']}); keep one of them, or name the"
        " column that tells replicates apart with --seed, or more columns with --design."
    )


def one_value_each(
    tidy: pd.DataFrame, key: str, column: str, values: pd.Series
) -> Mapping[str, float]:
    """Return key -> value, leaving out keys without one.

    Raises:
        TableError: one key has two values; both rows are named.
    """
    known = pd.DataFrame({"key": tidy[key].to_numpy(), "value": values.to_numpy()})
    known["place"] = tidy.index
    known = known.dropna(subset=["value"]).drop_duplicates(["key", "value"])
    twice = known[known.duplicated("key", keep=False)]
    if len(twice):
        a, b = (twice[twice["key"] == twice["key"].iloc[0]]).iloc[:2].itertuples(index=False)
        raise TableError(
            f"rows {a.place} and {b.place}: the {key} {a.key!r} has two values of {column!r},"
            f" {a.value} and {b.value}; it must have one."
        )
    return dict(zip(known["key"], known["value"].astype(float), strict=True))
