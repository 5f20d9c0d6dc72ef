"""Columns that hold an amount of training data."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from analysis.errors import TableError

# Names of columns that hold an amount of training data.
_NAMED = re.compile(r"(^|_)(samples|examples|tokens|data_size|dataset_size)$")


def names_a_data_size(column: str) -> bool:
    """Whether a column's name says that it holds amounts of training data."""
    return bool(_NAMED.search(column))


def refuse_no_sizes(tidy: pd.DataFrame, column: str) -> None:
    """Raise TableError, with its row, on what is no amount of data above 0."""
    values = np.asarray(pd.to_numeric(tidy[column], errors="coerce"), dtype=float)
    wrong = ~(np.isfinite(values) & (values > 0))
    if wrong.any():
        row = tidy.iloc[int(np.argmax(wrong))]
        raise TableError(
            f"row {row.name}: {column!r} holds {row[column]!r}, not an amount of data above 0"
            " (--data-size)."
        )
