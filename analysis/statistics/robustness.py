r"""How far the order of designs at two scales rests on single designs or groups of them.

The counterpart of `decomposition`'s ranges of R² for decision accuracy. Two score arrays of the
same n designs, shape (n,), in points.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.agreement import ordering
from analysis.statistics.decomposition import Range
from analysis.statistics.scores import Scores


def decision_accuracy_without(
    small: Scores, large: Scores, groups: Mapping[str, NDArray[np.bool_]]
) -> dict[str, float | None]:
    r"""Decision accuracy of the pairs that hold no design of a group, for each group left out.

    With A the matrix of pair agreements (0 on its diagonal) and k marking the designs kept:
    $\frac{k^\top A k}{m (m - 1)}$, m designs kept; a tie counts one half. None for m < 2.

    Args:
        groups: name -> which designs it takes away, shape (n,).
    """
    if small.size < 2 or not groups:
        return dict.fromkeys(groups)
    i, j = np.triu_indices(small.size, k=1)
    agree = np.zeros((small.size, small.size))
    agree[i, j] = (1.0 + ordering(small).astype(float) * ordering(large)) / 2.0
    kept = 1.0 - np.stack(list(groups.values())).astype(float)
    m = kept.sum(axis=1)
    pairs, alike = m * (m - 1.0) / 2.0, np.sum((kept @ agree) * kept, axis=1)
    return {
        name: float(a / p) if p > 0 else None
        for name, a, p in zip(groups, alike, pairs, strict=True)
    }


def decision_range(small: Scores, large: Scores, groups: Mapping[str, NDArray[np.bool_]]) -> Range:
    """Find the range of decision accuracy over the groups left out; None: no pair is left."""
    found = decision_accuracy_without(small, large, groups)
    known = [(value, name) for name, value in found.items() if value is not None]
    if not known:
        return Range(None, None, None, None)
    low, high = min(known, key=lambda part: part[0]), max(known, key=lambda part: part[0])
    return Range(low[0], high[0], low[1], high[1])
