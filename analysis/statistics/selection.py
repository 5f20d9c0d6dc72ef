"""What is lost by choosing designs at the small scale; higher scores are better.

Two score arrays of the same n designs, shape (n,), in points. Designs tied for best all count, as
if one were drawn among them. None: no design.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.scores import Scores


def regret(small: Scores, large: Scores) -> float | None:
    """Points lost at the large scale by taking the small scale's winner.

    The large scale's best score less its score of the small scale's best design; where designs tie
    for best at the small scale, the mean over them, as if one were drawn.
    """
    if small.size < 1:
        return None
    return float(large.max() - large[small == small.max()].mean())


def picks_best(small: Scores, large: Scores) -> float | None:
    """Chance that the small scale's winner is best at the large scale: 0 or 1 unless it ties.

    Source: the agreement at 1 of Magnusson et al. (2025); the tie rule is ours.
    """
    if small.size < 1:
        return None
    return float((large[small == small.max()] == large.max()).mean())


def top_k(scores: Scores, k: int) -> NDArray[np.bool_]:
    """Mark the k best designs, and every design tied with the k-th; shape (..., n) as given."""
    n = scores.shape[-1]
    cut = np.sort(scores, axis=-1)[..., n - min(k, n)]
    return scores >= cut[..., None]


def top_k_recall(small: Scores, large: Scores, k: int) -> float | None:
    """Share of the large scale's k best designs that are among the small scale's k best."""
    if small.size < 1:
        return None
    best = top_k(large, k)
    return float(top_k(small, k)[best].mean())


def top_k_regret(small: Scores, large: Scores, k: int) -> float | None:
    """Points lost at the large scale when the best of the small scale's k best is taken."""
    if small.size < 1:
        return None
    return float(large.max() - large[top_k(small, k)].max())
