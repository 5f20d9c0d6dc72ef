r"""How effects at a small scale come back at a large one, with errors on both sides.

Least squares takes the small scale's effects as exact; their noise then flattens the slope, the
more the smaller the effects are. Deming's line allows for it. Effects are in points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from analysis.statistics.intervals import Interval, jackknife_error
from analysis.statistics.scores import Scores, is_constant, rounding_of

# Two effects give a line through both points, whatever they are.
FEWEST_EFFECTS = 3
NoSlope = Literal["fewer than 3 effects", "all effects are the same at one scale", "no direction"]


@dataclass(frozen=True)
class EffectTransfer:
    """Effects at the large scale on the same effects at the small scale.

    `slope` near 1: effects keep their size; near 0: they vanish; negative: they turn round. Its
    interval leaves out one effect at a time. `noise_ratio` is the error variance at the large scale
    over that at the small one, taken as 1 where `noise_known` is false. `sign_agreement` is the
    share of effects with one sign at both scales (0 at either: one half), with Wilson's interval,
    which takes them as independent though they share their reference.
    """

    n: int
    slope: float | None
    slope_ci: Interval | None
    intercept: float | None
    noise_ratio: float
    noise_known: bool
    no_slope: NoSlope | None
    sign_agreement: float | None
    sign_agreement_ci: Interval | None


def effect_transfer(
    small: Scores, large: Scores, *, small_se: Scores | None = None, large_se: Scores | None = None
) -> EffectTransfer:
    """Say how effects transfer.

    The line has an intercept: all effects share the noise of the reference that they are taken
    against, which moves them together and no slope.

    Args:
        small, large: the same n effects at two scales, points, shape (n,).
        small_se, large_se: their standard errors, points, shape (n,); None where not known.
    """
    ratio = _noise_ratio(small_se, large_se)
    given = 1.0 if ratio is None else ratio
    reason = _no_slope(small, large)
    line = None if reason else deming(small, large, noise_ratio=given)
    if reason is None and line is None:
        reason = "no direction"
    return EffectTransfer(
        n=small.size,
        slope=line[0] if line else None,
        slope_ci=_slope_interval(small, large, line[0], given) if line else None,
        intercept=line[1] if line else None,
        noise_ratio=given,
        noise_known=ratio is not None,
        no_slope=reason,
        sign_agreement=sign_agreement(small, large),
        sign_agreement_ci=wilson_interval(sign_agreement(small, large), small.size),
    )


def deming(small: Scores, large: Scores, *, noise_ratio: float) -> tuple[float, float] | None:
    r"""Slope and intercept of the line with errors on both sides.

    $\beta = \frac{S_{ll} - \lambda S_{ss} + \sqrt{(S_{ll} - \lambda S_{ss})^2 + 4 \lambda
    S_{sl}^2}}{2 S_{sl}}$, $\alpha = \bar l - \beta \bar s$, with sums of squares and products S
    about the means and $\lambda$ = `noise_ratio`, the error variance of l over that of s. $\lambda
    \to \infty$ gives least squares of l on s.

    Source: Deming (1943); Fuller (1987), Measurement Error Models, section 1.3.

    Returns:
        None where the products sum to 0, so that no slope is better than its opposite.
    """
    s, t = small - small.mean(), large - large.mean()
    ss, tt, st = float(s @ s), float(t @ t), float(s @ t)
    if abs(st) <= 1e-12 * np.sqrt(ss * tt):
        return None
    gap = tt - noise_ratio * ss
    root = float(np.hypot(gap, 2.0 * np.sqrt(noise_ratio) * st))
    # The two forms are equal; each loses its digits where the other keeps them.
    slope = (gap + root) / (2.0 * st) if gap > 0 else 2.0 * noise_ratio * st / (root - gap)
    return slope, float(large.mean() - slope * small.mean())


def sign_agreement(small: Scores, large: Scores) -> float | None:
    """Share of effects with the same sign at both scales; 0 at either counts one half."""
    if small.size == 0:
        return None
    signs = [
        np.where(np.abs(x) <= rounding_of(x), 0.0, np.sign(x)).astype(float) for x in (small, large)
    ]
    return float(np.mean((1.0 + signs[0] * signs[1]) / 2.0))


def wilson_interval(share: float | None, n: int) -> Interval | None:
    r"""95 % interval of a share of n: $(p + z^2/2n \pm z \sqrt{p(1-p)/n + z^2/4n^2})/(1+z^2/n)$.

    Source: Wilson (1927). None for n = 0.
    """
    if share is None or n == 0:
        return None
    z2 = float(stats.norm.ppf(0.975)) ** 2
    centre = share + z2 / (2 * n)
    half = float(np.sqrt(z2 * share * (1.0 - share) / n + z2 * z2 / (4.0 * n * n)))
    low, high = (centre - half) / (1 + z2 / n), (centre + half) / (1 + z2 / n)
    return (max(0.0, low), min(1.0, high))


def _noise_ratio(small_se: Scores | None, large_se: Scores | None) -> float | None:
    if small_se is None or large_se is None:
        return None
    small, large = float(np.mean(small_se**2)), float(np.mean(large_se**2))
    return large / small if small > 0 and large > 0 else None


def _no_slope(small: Scores, large: Scores) -> NoSlope | None:
    if small.size < FEWEST_EFFECTS:
        return "fewer than 3 effects"
    same = is_constant(small) or is_constant(large)
    return "all effects are the same at one scale" if same else None


def _slope_interval(small: Scores, large: Scores, slope: float, ratio: float) -> Interval | None:
    """Jackknife interval, t on n - 2 degrees of freedom (Linnet 1990); None for n < 4."""
    n = small.size
    if n < 4:
        return None
    without = [
        deming(np.delete(small, i), np.delete(large, i), noise_ratio=ratio) for i in range(n)
    ]
    error = jackknife_error(np.array([np.nan if line is None else line[0] for line in without]))
    if error is None or any(line is None for line in without):
        return None
    half = error * float(stats.t.ppf(0.975, n - 2))
    return (slope - half, slope + half)
