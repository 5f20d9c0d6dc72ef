"""What choosing at the small scale might have cost with other items and seeds, designs fixed.

The jackknife over designs degenerates here (leaving out any but the best design changes nothing),
so only scores are drawn anew. Both scales are drawn: the choice and what it costs move together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.intervals import Interval, percentile_interval
from analysis.statistics.scores import Scores
from analysis.statistics.selection import top_k


@dataclass(frozen=True)
class SelectionNoise:
    """Percentile intervals over resampled items and seeds; `sources` says which were drawn.

    `p_best` is how often the small scale's winner is the large scale's best design, and `p_top_k`
    how often that best is among the small scale's k best. Regret in points.
    """

    sources: tuple[str, ...]
    regret_ci: Interval | None
    top_k_regret_ci: dict[str, Interval | None]
    top_k_recall_ci: dict[str, Interval | None]
    p_best: float
    p_top_k: dict[str, float]


def selection_noise(
    small: Scores, large: Scores, ks: Sequence[int], *, sources: tuple[str, ...]
) -> SelectionNoise:
    """Sum up what selection costs in each draw; higher scores are better.

    Args:
        small, large: drawn scores, shape (draws, n).
        ks: how many designs are taken along to the large scale.
    """
    best = large.max(axis=1, keepdims=True)
    is_best = large == best
    winners = small == small.max(axis=1, keepdims=True)
    regrets: dict[str, Interval | None] = {}
    recalls: dict[str, Interval | None] = {}
    found: dict[str, float] = {}
    for k in ks:
        taken, wanted = top_k(small, k), top_k(large, k)
        lost = best[:, 0] - np.where(taken, large, -np.inf).max(axis=1)
        regrets[str(k)] = percentile_interval(lost)
        recalls[str(k)] = percentile_interval(_share_taken(wanted, taken))
        found[str(k)] = float(_share_taken(is_best, taken).mean())
    regret = best[:, 0] - (large * winners).sum(axis=1) / winners.sum(axis=1)
    return SelectionNoise(
        sources=sources,
        regret_ci=percentile_interval(regret),
        top_k_regret_ci=regrets,
        top_k_recall_ci=recalls,
        p_best=float(_share_taken(winners, is_best).mean()),
        p_top_k=found,
    )


def _share_taken(wanted: NDArray[np.bool_], taken: NDArray[np.bool_]) -> Scores:
    """Share of the wanted designs of each draw that are taken."""
    return (taken & wanted).sum(axis=1) / wanted.sum(axis=1)
