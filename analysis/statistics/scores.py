"""What every statistic takes: arrays of scores, and when two scores count as equal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

# Means over seeds differ in their last bits where they should be equal; spread below this share of
# the largest score is rounding, not signal.
ROUNDING = 1e-12


def is_constant(scores: Scores) -> bool:
    """Tell whether all scores are equal up to rounding (or there are none)."""
    if scores.size == 0:
        return True
    return bool(np.ptp(scores) <= rounding_of(scores))


def rounding_of(scores: Scores) -> float:
    """Return the largest difference, in the scores' units, that is rounding and no difference."""
    return ROUNDING * float(np.max(np.abs(scores), initial=0.0))
