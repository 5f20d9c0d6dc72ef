"""How tables write whether an answer was right."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportReturnType=false, reportGeneralTypeIssues=false

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from analysis.errors import TableError

_TRUTH = {"1": 1.0, "1.0": 1.0, "true": 1.0, "0": 0.0, "0.0": 0.0, "false": 0.0}


def truths(
    written: pd.Series, told: Callable[[object, str], str], *, empty: bool = False
) -> pd.Series:
    """Read 0, 1, false and true in any case as numbers.

    Args:
        written: text, indexed by its place in the file.
        told: the message about a place and what it holds that is neither.
        empty: nothing is allowed, and becomes NaN.

    Raises:
        TableError: as `told` says it of the first such place.
    """
    right = written.str.lower().map(_TRUTH)
    wrong = (right.isna() & ~((written == "") & empty)).to_numpy()
    if wrong.any():
        at = int(np.argmax(wrong))
        raise TableError(told(written.index[at], written.iloc[at]))
    return right.astype(float)
