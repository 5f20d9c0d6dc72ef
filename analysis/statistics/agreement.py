r"""How often two scales order a pair of designs alike: decision accuracy and its refinements.

Pure functions of two score arrays of the same n designs, shape (n,), in the metric's own units
("points"). $s$ are scores at the small scale, $l$ at the large one. None: no pair to judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.statistics.scores import Scores, rounding_of

# At most so many points on the curve over margins, at quantiles of the differences.
CURVE_POINTS = 12


@dataclass(frozen=True)
class Margin:
    """Decision accuracy on either side of a margin between designs at the large scale.

    `pairs` differ by at least `margin` points there, `pairs_closer` by less; None where none do.
    """

    margin: float
    pairs: int
    decision_accuracy: float | None
    pairs_closer: int
    decision_accuracy_closer: float | None


def ordering(scores: Scores, *, band: float = 0.0) -> NDArray[np.int8]:
    """Order every pair of designs: 1, -1, or 0 where they differ by at most `band` points.

    Pairs are i < j, row by row as in `numpy.triu_indices`; +1 says that i is above j. Differences
    that are rounding count as none.

    Args:
        scores: shape (..., n): one table, or many resampled ones.

    Returns:
        shape (..., n(n-1)/2).
    """
    i, j = np.triu_indices(scores.shape[-1], k=1)
    gap = scores[..., i] - scores[..., j]
    tied = np.abs(gap) <= max(band, rounding_of(scores))
    return np.where(tied, 0, np.sign(gap)).astype(np.int8)


def matched_order(scores: Scores, pairs: NDArray[np.intp]) -> Scores:
    """Order chosen pairs of designs: 1, -1, 0 where they tie up to rounding, NaN where unknown.

    Args:
        scores: shape (n, ...), NaN where missing.
        pairs: places of both designs of each pair, shape (pairs, 2).

    Returns:
        shape (pairs, ...).
    """
    gaps = scores[pairs[:, 0]] - scores[pairs[:, 1]]
    return np.where(np.abs(gaps) <= rounding_of(np.nan_to_num(scores)), 0.0, np.sign(gaps))


def pair_agreement(small: Scores, large: Scores, *, band: float = 0.0) -> Scores:
    """Score each pair of designs: 1 ordered alike, 0 opposite, 1/2 when tied at either scale."""
    votes = ordering(small, band=band) * ordering(large, band=band)
    return (1.0 + votes.astype(np.float64)) / 2.0


def decision_accuracy(small: Scores, large: Scores, *, band: float = 0.0) -> float | None:
    r"""Share of design pairs that two scales order the same way, a tie at either counting 1/2.

    $\frac{2}{n(n-1)} \sum_{i<j} \frac{1 + \operatorname{sign}(s_i - s_j)\operatorname{sign}(l_i -
    l_j)}{2}$; without ties it equals $(\tau + 1) / 2$. A coin reaches 1/2. Scores that differ by
    at most `band` points (0: none) count as tied.

    Source: Magnusson et al. (2025), DataDecide, section 2; the tie rule is ours.
    """
    if small.size < 2:
        return None
    return float(pair_agreement(small, large, band=band).mean())


def weighted_decision_accuracy(small: Scores, large: Scores) -> float | None:
    r"""Decision accuracy with each pair weighted by the points that a wrong decision would lose.

    $\sum_{i<j} |l_i - l_j| a_{ij} / \sum_{i<j} |l_i - l_j|$, $a_{ij}$ as in `pair_agreement`: 1
    less the share of the points at stake that are lost. None where the large scale has no
    differences.
    """
    stake = _distances(large)
    total = float(stake.sum())
    return float(stake @ pair_agreement(small, large)) / total if total > 0 else None


def expected_decision_accuracy(r: float) -> float:
    r"""Decision accuracy of a bivariate normal with correlation r: $1/2 + \arcsin(r)/\pi$.

    Far below the observed one it tells of outliers that carry r; far above, of clusters.

    Source: Sheppard (1899), the orthant probability; Kendall's tau is twice it less 1.
    """
    return 0.5 + float(np.arcsin(np.clip(r, -1.0, 1.0))) / np.pi


def margin_curve(
    small: Scores, large: Scores, margins: Iterable[float] | None = None
) -> tuple[Margin, ...]:
    """Decision accuracy among pairs that differ by at least each margin at the large scale.

    It rises from that of all pairs (margin 0), and says how far apart designs have to be before the
    small scale tells them apart.

    Args:
        margins: points; None takes 0 and quantiles of the differences, rounded.
    """
    distance = _distances(large)
    if distance.size == 0:
        return ()
    agreement = pair_agreement(small, large)
    chosen = _curve_margins(distance) if margins is None else margins
    return tuple(_margin(float(margin), distance, agreement) for margin in chosen)


def _margin(margin: float, distance: Scores, agreement: Scores) -> Margin:
    far = distance >= margin
    return Margin(
        margin=margin,
        pairs=int(far.sum()),
        decision_accuracy=float(agreement[far].mean()) if far.any() else None,
        pairs_closer=int((~far).sum()),
        decision_accuracy_closer=float(agreement[~far].mean()) if not far.all() else None,
    )


def _curve_margins(distance: Scores) -> Scores:
    """Spread the margins evenly in pairs up to the 90 % quantile, at two significant digits."""
    shares = np.linspace(0.0, 0.9, CURVE_POINTS)[1:]
    quantiles = np.quantile(distance, shares)
    rounded = [float(f"{quantile:.2g}") for quantile in quantiles]
    return np.unique([0.0, *rounded])


def _distances(scores: Scores) -> Scores:
    i, j = np.triu_indices(scores.size, k=1)
    gaps = np.abs(scores[i] - scores[j])
    return np.where(gaps <= rounding_of(scores), 0.0, gaps)
