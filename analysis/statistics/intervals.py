r"""95 % intervals: Fisher's for a correlation, BCa from resamples, the jackknife's for a share.

How often each holds the truth is simulated by `tests/benchmarks/interval_coverage.py`; the table
stands in docs/statistics.md.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.statistics.scores import Scores

Interval = tuple[float, float]

# 1.96: the two-sided 95 % normal quantile, exactly.
Z95 = float(stats.norm.ppf(0.975))


def fisher_interval(r: float, n: int, *, controls: int = 0) -> Interval | None:
    r"""95 % interval of a correlation: $\tanh(\operatorname{artanh} r \pm 1.96/\sqrt{n-k-3})$.

    k = `controls` is the number of variables held fixed (0 for a plain correlation). Holds for
    independent, roughly normal pairs; designs that share a block are not independent, and then the
    interval is too narrow. None when n - k <= 3.

    Source: Fisher (1921); for partial correlations Fisher (1924).
    """
    if n - controls <= 3:
        return None
    if abs(r) >= 1.0:
        return (r, r)
    centre, half = np.arctanh(r), Z95 / np.sqrt(n - controls - 3)
    return (float(np.tanh(centre - half)), float(np.tanh(centre + half)))


def square_interval(interval: Interval) -> Interval:
    """Map an interval of r to one of r squared: it starts at 0 where r's interval spans 0."""
    low, high = interval
    squares = (low * low, high * high)
    return (0.0 if low <= 0.0 <= high else min(squares), max(squares))


def percentile_interval(draws: Scores) -> Interval | None:
    """Return the 2.5 and 97.5 % quantiles of the resampled values, undefined (NaN) ones left out.

    Source: Efron (1979). None when nothing is defined.
    """
    kept = draws[np.isfinite(draws)]
    if kept.size == 0:
        return None
    low, high = np.percentile(kept, [2.5, 97.5])
    return (float(low), float(high))


def bca_interval(
    estimate: float, draws: Scores, jackknife: Scores, *, widened: bool = False
) -> Interval | None:
    r"""Bias-corrected and accelerated bootstrap interval of a smooth statistic.

    The quantiles at $\Phi(z_0 + (z_0 + z)/(1 - a(z_0 + z)))$, $z = \pm 1.96$, of the draws, with
    $z_0 = \Phi^{-1}$(share of draws below the estimate, ties counting half) and
    $a = \sum U_i^3 / (6 (\sum U_i^2)^{3/2})$, $U_i$ = mean of the jackknife values less value i.
    It stays right when the statistic is stretched (r or r squared), which a percentile interval
    does only without bias.

    `widened` replaces 1.96 by $t_{n-1,0.975} \sqrt{n/(n-1)}$: a bootstrap knows the spread of n
    values as if n were large, and at n = 21 covers 91 % in place of 95 %.

    Source: Efron (1987); the widening: Hesterberg (2015), "expanded percentile", section 5.3.

    Args:
        estimate: the statistic of the data.
        draws: its values in the resamples; undefined (NaN) ones are left out.
        jackknife: its values without each of the n units that were resampled, shape (n,).

    Returns:
        None where the draws lie on one side of the estimate, or a jackknife value is undefined.
    """
    kept = draws[np.isfinite(draws)]
    if kept.size == 0 or not np.isfinite(jackknife).all():
        return None
    below = ((kept < estimate).mean() + (kept <= estimate).mean()) / 2.0
    if not 0.0 < below < 1.0:
        return None
    bias, accelerated = stats.norm.ppf(below), _acceleration(jackknife)
    z = bias + np.array([-1.0, 1.0]) * (_wide_quantile(jackknife.size) if widened else Z95)
    shares = stats.norm.cdf(bias + z / (1.0 - accelerated * z))
    low, high = np.percentile(kept, 100.0 * shares)
    return (float(low), float(high))


def jackknife_error(values: Scores) -> float | None:
    r"""Jackknife standard error $\sqrt{\frac{n-1}{n} \sum (\theta_{(i)} - \bar\theta)^2}$.

    Args:
        values: the statistic without each of the n units; undefined (NaN) ones are left out.

    Source: Tukey (1958); Efron and Stein (1981). None for fewer than two values.
    """
    kept = values[np.isfinite(values)]
    n = kept.size
    return float(np.sqrt((n - 1) / n * np.sum((kept - kept.mean()) ** 2))) if n > 1 else None


def jackknife_interval(estimate: float, values: Scores, *, low: float, high: float) -> Interval:
    """Return the estimate plus and minus t(n - 1) jackknife errors, cut off at `low` and `high`.

    For a mean over pairs that share units: leaving out a unit leaves out all of its pairs, so the
    error knows that they are not independent. Without an error (one unit): the whole range.
    """
    error = jackknife_error(values)
    if error is None:
        return (low, high)
    half = error * float(stats.t.ppf(0.975, np.isfinite(values).sum() - 1))
    return (max(low, estimate - half), min(high, estimate + half))


def _acceleration(jackknife: Scores) -> float:
    gaps = jackknife.mean() - jackknife
    spread = float(np.sum(gaps**2))
    return float(np.sum(gaps**3)) / (6.0 * spread**1.5) if spread > 0 else 0.0


def _wide_quantile(n: int) -> float:
    return float(stats.t.ppf(0.975, n - 1)) * float(np.sqrt(n / (n - 1)))
