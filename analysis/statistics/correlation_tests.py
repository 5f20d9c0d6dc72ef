r"""Whether a bigger proxy is really better: two correlations with the same target compared.

Both proxies are compared with one large scale on the same n designs, so their correlations with it
depend on each other. Symbols: $r_1, r_2$ of either proxy with the target, $r_x$ between the
proxies.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from analysis.statistics.intervals import Z95

# The chance of finding a difference that is called good enough by custom (Cohen 1988).
POWER = 0.8
# The difference of R² that power is quoted for: one that would change which proxy one pays for.
WANTED_GAIN = 0.1


@dataclass(frozen=True)
class CorrelationTest:
    """Whether the bigger proxy's correlation is larger; field names are those of report.json.

    `z` is positive where the bigger proxy's is. `power` is the chance to find a gain of
    `WANTED_GAIN` in R² with these n designs, and `detectable_gain` the gain in R² that would be
    found with a chance of 80 %; both go down from the larger of the two r. None: no such gain.
    """

    small: str
    big: str
    n: int
    r_small: float
    r_big: float
    r_between: float
    z: float | None
    p: float | None
    power: float | None
    detectable_gain: float | None


def compare_correlations(
    r_small: float, r_big: float, r_between: float, n: int, *, names: tuple[str, str]
) -> CorrelationTest:
    """Test two proxies' correlations with one target; `names` are the smaller and the bigger."""
    z = dependent_z(r_big, r_small, r_between, n)
    best = max(r_small, r_big)
    return CorrelationTest(
        small=names[0],
        big=names[1],
        n=n,
        r_small=r_small,
        r_big=r_big,
        r_between=r_between,
        z=z,
        p=None if z is None else 2.0 * float(stats.norm.sf(abs(z))),
        power=_power_of_gain(best, r_between, n),
        detectable_gain=detectable_gain(best, r_between, n),
    )


def dependent_z(r1: float, r2: float, r_between: float, n: int) -> float | None:
    r"""Standard normal deviate for $r_1 = r_2$.

    $Z = (\operatorname{artanh} r_1 - \operatorname{artanh} r_2) \sqrt{(n - 3) / (2 (1 - r_x) h)}$,
    $h = \frac{1 - f \bar{r^2}}{1 - \bar{r^2}}$, $f = \min(1, \frac{1 - r_x}{2 (1 - \bar{r^2})})$,
    $\bar{r^2} = (r_1^2 + r_2^2) / 2$.

    Source: Meng, Rosenthal and Rubin (1992), Psychological Bulletin 111, equations 1 to 3.

    Returns:
        None for n < 4, a correlation of 1 or -1, or proxies that are the same.
    """
    if n < 4 or max(abs(r1), abs(r2)) >= 1.0 or r_between >= 1.0:
        return None
    square = (r1 * r1 + r2 * r2) / 2.0
    f = min(1.0, (1.0 - r_between) / (2.0 * (1.0 - square)))
    h = (1.0 - f * square) / (1.0 - square)
    gap = float(np.arctanh(r1) - np.arctanh(r2))
    return gap * float(np.sqrt((n - 3) / (2.0 * (1.0 - r_between) * h)))


def power(r1: float, r2: float, r_between: float, n: int) -> float | None:
    r"""Chance that the two-sided 5 % test finds true correlations r1 and r2 different.

    $\Phi(|Z| - 1.96) + \Phi(-|Z| - 1.96)$ with Z of the true correlations.
    """
    z = dependent_z(r1, r2, r_between, n)
    if z is None:
        return None
    return float(stats.norm.cdf(abs(z) - Z95) + stats.norm.cdf(-abs(z) - Z95))


def detectable_gain(best: float, r_between: float, n: int) -> float | None:
    """Smallest gain in R², down from r = `best`, found with a chance of `POWER`.

    None where no worse positive correlation that the other two allow is far enough away.
    """
    low = _lowest_possible(best, r_between)

    def short(worse: float) -> float:
        found = power(best, worse, r_between, n)
        return (0.0 if found is None else found) - POWER

    if best <= 0 or n < 4 or low >= best or short(low) < 0:
        return None
    worse = float(optimize.brentq(short, low, best))  # pyright: ignore[reportArgumentType]
    return best * best - worse * worse


def _power_of_gain(best: float, r_between: float, n: int) -> float | None:
    square = best * best - WANTED_GAIN
    worse = float(np.sqrt(square)) if best > 0 and square > 0 else -1.0
    return power(best, worse, r_between, n) if worse >= _lowest_possible(best, r_between) else None


def _lowest_possible(best: float, r_between: float) -> float:
    """Smallest r2 >= 0 that may stand beside r1 and r_x in one correlation matrix."""
    spread = np.sqrt(max(0.0, (1.0 - best * best) * (1.0 - r_between * r_between)))
    return max(0.0, float(best * r_between - spread))
