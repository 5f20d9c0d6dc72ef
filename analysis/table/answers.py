"""Rows of an item table, checked: who gave which answer to which question, and was it right."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.errors import TableError
from analysis.table.options import TableOptions
from analysis.table.tidy import joined, require
from analysis.table.truths import truths


def tidy_answers(
    rows: pd.DataFrame,
    options: TableOptions,
    *,
    keep: Sequence[str] = (),
    one_scale: bool = False,
) -> pd.DataFrame:
    """Check the columns of an item table, parse `correct`, refuse answers that stand twice.

    Args:
        rows: text columns from `reading.read_rows`, indexed by their place in the file.
        options: which columns name design, scale and seed.
        keep: more columns to take over as they are; one that the table lacks is left out.
        one_scale: a table without a scale column is of one scale, named "".

    Returns:
        Columns `design, scale, seed, benchmark, regime, item, video, category, correct` (float)
        and those of `keep`. `item` is unique within a benchmark; `video` falls back to the item.

    Raises:
        TableError: a column is missing, `correct` is no truth value, an answer is there
            twice; the row is named.
    """
    design, scale, seed = options.design, options.scale, options.seed or "seed"
    if one_scale and scale == "scale" and scale not in rows.columns:
        rows = rows.assign(scale="")
    needed = (*design, scale, "benchmark", "regime", "item", "category", "correct")
    require(rows, needed, option="--items")
    video = rows["video"] if "video" in rows.columns else pd.Series("", index=rows.index)
    tidy = pd.DataFrame(
        {
            "design": joined(rows, design, 1),
            "scale": rows[scale],
            "seed": rows[seed] if seed in rows.columns else "",
            "benchmark": rows["benchmark"],
            "regime": rows["regime"],
            # An id that counts within a video names an item only together with it.
            "item": video + "\n" + rows["item"],
            "video": video.where(video != "", "\n" + rows["item"]),
            "category": rows["category"],
            "correct": truths(rows["correct"], _no_truth),
        },
        index=rows.index,
    )
    tidy = tidy.assign(**{name: rows[name] for name in keep if name in rows.columns})
    _refuse_twice(tidy, rows["item"])
    return tidy


def _no_truth(place: object, holds: str) -> str:
    return f"item table, row {place}: 'correct' holds {holds!r}; it must be 0 or 1, false or true."


def _refuse_twice(tidy: pd.DataFrame, names: pd.Series) -> None:
    cell = ["design", "scale", "seed", "benchmark", "regime", "item"]
    twice = tidy.duplicated(cell)
    if not twice.any():
        return
    at = int(np.argmax(twice.to_numpy()))
    same = (tidy[cell] == tidy[cell].iloc[at]).all(axis=1).to_numpy()
    raise TableError(
        f"item table, rows {tidy.index[int(np.argmax(same))]} and {tidy.index[at]}: the same"
        f" answer twice (design {tidy['design'].iloc[at]}, scale {tidy['scale'].iloc[at]},"
        f" item {names.iloc[at]}); keep one of them."
    )
