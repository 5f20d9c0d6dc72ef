r"""What noise leaves of the agreement between two scales: reliability, ceiling, decidable pairs.

Two score arrays of the same n designs, shape (n,), in points. Noise that all designs share (a hard
set of items) moves no difference between them and does not count here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.agreement import ordering
from analysis.statistics.consistency import pearson
from analysis.statistics.noise import MetricNoise, difference_variance, joint_freedom, unshared
from analysis.statistics.scores import Scores

# The share of false claims among the pairs called decidable, in the long run.
FALSE_SHARE = 0.05


@dataclass(frozen=True)
class PairNoise:
    """What noise leaves open between two scales; field names are those of report.json.

    `sources` says which noise is known at each scale; None stands for what needs the noise of a
    scale that has none known. `se` are root mean squares over designs, in points; `freedom` are the
    degrees of freedom behind them. `r2_ceiling` is the R² to expect if true scores were perfectly
    correlated, and `disattenuated_r` the correlation of true scores, which passes 1 where noise is
    overestimated. Decidable pairs of designs differ by more than noise does (Benjamini-Yekutieli,
    5 % false). The pairs ordered wrongly are split into those not decidable at the small scale,
    else not at the large one, else real reversals.
    """

    sources: dict[str, tuple[str, ...]]
    se_small: float | None
    se_large: float | None
    freedom_small: float | None
    freedom_large: float | None
    reliability_small: float | None
    reliability_large: float | None
    r2_ceiling: float | None
    disattenuated_r: float | None
    decidable_small: float | None
    decidable_large: float | None
    pairs: int
    wrong: int
    wrong_undecidable_small: int | None
    wrong_undecidable_large: int | None
    wrong_real_reversal: int | None


def pair_noise(
    small: Scores, large: Scores, noise: MetricNoise, at: NDArray[np.intp], scales: tuple[int, int]
) -> PairNoise | None:
    """Judge the agreement of two scales by the noise of their cells.

    Args:
        small, large: scores of the designs that both scales have.
        at: the places of those designs in `noise`.
        scales: the places of the two scales in `noise`.

    Returns:
        None where neither seeds nor items tell of noise at either scale, or n < 2.
    """
    sides = (_side(noise, at, scales[0]), _side(noise, at, scales[1]))
    if small.size < 2 or not any(side.sources for side in sides):
        return None
    rho = [_reliability(x, side) for x, side in zip((small, large), sides, strict=True)]
    reliable = None if rho[0] is None or rho[1] is None else (rho[0], rho[1])
    together = _shared(small, large, *sides)
    decided = [_decided(x, side) for x, side in zip((small, large), sides, strict=True)]
    wrong = ordering(small) * ordering(large) < 0
    lost = None
    if decided[0] is not None and decided[1] is not None:
        lost = split_wrong(wrong, decided[0], decided[1])
    r = pearson(small, large)
    return PairNoise(
        sources={"small": sides[0].sources, "large": sides[1].sources},
        se_small=_rms(sides[0]),
        se_large=_rms(sides[1]),
        freedom_small=_finite(sides[0].freedom),
        freedom_large=_finite(sides[1].freedom),
        reliability_small=rho[0],
        reliability_large=rho[1],
        r2_ceiling=r2_ceiling(*reliable, together) if reliable else None,
        disattenuated_r=(
            disattenuated(r, *reliable, together) if reliable and r is not None else None
        ),
        decidable_small=None if decided[0] is None else float(decided[0].mean()),
        decidable_large=None if decided[1] is None else float(decided[1].mean()),
        pairs=wrong.size,
        wrong=int(wrong.sum()),
        wrong_undecidable_small=lost[0] if lost else None,
        wrong_undecidable_large=lost[1] if lost else None,
        wrong_real_reversal=lost[2] if lost else None,
    )


@dataclass(frozen=True)
class _Side:
    """The noise of one scale's designs: `error` is the variance that designs do not share."""

    sources: tuple[str, ...]
    cell_variance: Scores
    differences: Scores
    error: float
    freedom: float
    influence: Scores | None


def _side(noise: MetricNoise, at: NDArray[np.intp], scale: int) -> _Side:
    seeds = influence = None
    parts: list[tuple[float, float]] = []
    if noise.seeds is not None and noise.seeds.freedom[scale] > 0:
        seeds = noise.seeds.variance[at, scale]
        parts.append((float(seeds.mean()), float(noise.seeds.freedom[scale])))
    if noise.influence is not None and np.isfinite(noise.influence[at, scale]).all():
        influence = noise.influence[at, scale]
        parts.append((unshared(influence, influence), influence.shape[1] - 1.0))
    own = np.zeros(at.size) if seeds is None else seeds
    return _Side(
        sources=tuple(
            name for name, part in (("seeds", seeds), ("items", influence)) if part is not None
        ),
        cell_variance=own if influence is None else own + np.sum(influence**2, axis=1),
        differences=difference_variance(own, influence),
        error=sum(variance for variance, _ in parts),
        freedom=joint_freedom(parts),
        influence=influence,
    )


def _reliability(scores: Scores, side: _Side) -> float | None:
    return reliability(scores, side.error) if side.sources else None


def _decided(scores: Scores, side: _Side) -> NDArray[np.bool_] | None:
    return decidable(scores, side.differences, side.freedom) if side.sources else None


def _rms(side: _Side) -> float | None:
    return float(np.sqrt(side.cell_variance.mean())) if side.sources else None


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _shared(small: Scores, large: Scores, at_small: _Side, at_large: _Side) -> float:
    """Covariance of the two scales' item noise over the product of their standard deviations."""
    spread = float(small.std(ddof=1) * large.std(ddof=1))
    if at_small.influence is None or at_large.influence is None or spread == 0:
        return 0.0
    return unshared(at_small.influence, at_large.influence) / spread


def reliability(scores: Scores, noise_variance: float) -> float | None:
    r"""Share of the variance between designs that is not noise: $1 - e / s^2$, at least 0.

    Source: classical test theory, Lord and Novick (1968), section 3.3. None without variance.
    """
    variance = float(scores.var(ddof=1)) if scores.size > 1 else 0.0
    return float(np.clip(1.0 - noise_variance / variance, 0.0, 1.0)) if variance > 0 else None


def r2_ceiling(reliable_small: float, reliable_large: float, shared: float = 0.0) -> float:
    r"""R² to expect of perfectly correlated true scores: $(\sqrt{\rho_s \rho_l} + c)^2$, at most 1.

    $\rho$ are the reliabilities and c = `shared` the covariance of item noise at the two scales
    over $s_s s_l$: the same items on both sides make errors agree. Source: Spearman (1904).
    """
    return float(min(1.0, np.sqrt(reliable_small * reliable_large) + shared) ** 2)


def disattenuated(
    r: float, reliable_small: float, reliable_large: float, shared: float = 0.0
) -> float | None:
    r"""Correlation of true scores, $(r - c) / \sqrt{\rho_s \rho_l}$, not cut off.

    Symbols as in `r2_ceiling`. It is not what a study observes: read it after r, as what would be
    left with endless seeds and items. Beyond 1 the noise is overestimated, or r high by luck.
    Source: Spearman (1904). None where all is noise.
    """
    product = reliable_small * reliable_large
    return float((r - shared) / np.sqrt(product)) if product > 0 else None


def decidable(scores: Scores, variance: Scores, freedom: float) -> NDArray[np.bool_]:
    """Mark the pairs of designs whose difference noise does not explain.

    Two-sided t tests of every difference, at `FALSE_SHARE` false discoveries under any dependence
    (pairs share designs): Benjamini and Yekutieli (2001), as in `scipy.stats`.

    Args:
        scores: shape (n,).
        variance: of the differences, shape (n, n), from `difference_variance`.
        freedom: degrees of freedom of that variance.

    Returns:
        shape (n(n-1)/2,), pairs as in `agreement.ordering`.
    """
    i, j = np.triu_indices(scores.size, k=1)
    gap, error = np.abs(scores[i] - scores[j]), np.sqrt(variance[i, j])
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2.0 * stats.t.sf(gap / error, freedom)
    # No noise at all decides every difference there is.
    p = np.where(error > 0, p, np.where(gap > 0, 0.0, 1.0))
    if p.size == 0:
        return np.zeros(0, dtype=bool)
    return stats.false_discovery_control(p, method="by") <= FALSE_SHARE


def split_wrong(
    wrong: NDArray[np.bool_],
    decidable_small: NDArray[np.bool_],
    decidable_large: NDArray[np.bool_],
) -> tuple[int, int, int]:
    """Count the pairs ordered wrongly: undecidable at small, else at large, else real reversals.

    Args:
        wrong, decidable_small, decidable_large: of each pair, shape (n(n-1)/2,).
    """
    at_small = wrong & ~decidable_small
    at_large = wrong & decidable_small & ~decidable_large
    return int(at_small.sum()), int(at_large.sum()), int((wrong & ~at_small & ~at_large).sum())
