"""Agreement of two scales when they are judged on different items.

The usual R² scores both scales on the same items. An item that happens to suit a design helps it at
both scales, and R² rises without any design being better. Judging the small scale on one half of
the videos and the large one on the other takes that away; judging both on the same half shows how
much it was, at the same number of items.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.statistics import weighted
from analysis.statistics.item_scores import ItemScores, scores_under
from analysis.statistics.scores import Scores

SPLITS = 200


@dataclass(frozen=True)
class HeldOut:
    """Mean agreement over random halvings; `sd` is the spread of R² over the halvings.

    `of` says what was halved: videos (or items where no video is named), or categories. `r2_shared`
    and `decision_accuracy_shared` have both scales on the same half.
    """

    of: str
    parts: int
    splits: int
    r2: float | None
    sd: float | None
    r2_shared: float | None
    decision_accuracy: float | None
    decision_accuracy_shared: float | None


def halves(rng: np.random.Generator, parts: int, splits: int) -> Scores:
    """Mark a random half of the parts (the smaller where odd) in each split: (splits, parts)."""
    order = rng.permuted(np.tile(np.arange(parts), (splits, 1)), axis=1)
    return (order < parts // 2).astype(np.float64)


def item_halves(
    items: ItemScores, rng: np.random.Generator, *, splits: int = SPLITS
) -> tuple[Scores, Scores]:
    """Score every cell on either half of the videos: two arrays (splits, designs, scales)."""
    first = halves(rng, items.n_clusters, splits)
    return scores_under(items, first), scores_under(items, 1.0 - first)


def part_halves(
    scores: Scores, rng: np.random.Generator, *, splits: int = SPLITS
) -> tuple[Scores, Scores]:
    """Average every cell's categories over either half of them: two arrays (splits, n, scales).

    Args:
        scores: shape (designs, scales, categories), all in one unit.
    """
    first = halves(rng, scores.shape[-1], splits)
    means = [
        np.einsum("bp,nsp->bns", chosen, scores) / chosen.sum(axis=1)[:, None, None]
        for chosen in (first, 1.0 - first)
    ]
    return means[0], means[1]


def held_out(
    small: tuple[Scores, Scores], large: tuple[Scores, Scores], *, of: str, parts: int
) -> HeldOut:
    """Compare the small scale on each half with the large one on the other, and on the same.

    Args:
        small, large: scores on the first and on the second half, each of shape (splits, n).
        of, parts: what was halved, and how many there are.
    """
    ones = np.ones_like(small[0])
    crossed = [(small[0], large[1]), (small[1], large[0])]
    same = [(small[0], large[0]), (small[1], large[1])]
    r2 = np.mean([weighted.pearson(ones, s, t) ** 2 for s, t in crossed], axis=0)
    defined = r2[np.isfinite(r2)]
    return HeldOut(
        of=of,
        parts=parts,
        splits=int(defined.size),
        r2=float(defined.mean()) if defined.size else None,
        sd=float(defined.std(ddof=1)) if defined.size > 1 else None,
        r2_shared=_mean([weighted.pearson(ones, s, t) ** 2 for s, t in same]),
        decision_accuracy=_mean([weighted.decision_accuracy(ones, s, t) for s, t in crossed]),
        decision_accuracy_shared=_mean([weighted.decision_accuracy(ones, s, t) for s, t in same]),
    )


def _mean(values: list[Scores]) -> float | None:
    found = np.concatenate(values)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else None
