r"""How many designs, seeds and items a wanted interval takes.

Widths are of 95 % intervals; a half-width is what stands behind the plus-minus sign. Scores and
differences are in points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.statistics.intervals import Z95

# Beyond these the answer is "not by this way".
MOST_DESIGNS = 100_000
MOST_SEEDS = 1_000


@dataclass(frozen=True)
class Need:
    """How many of `what` ("designs", "seeds", "items") give the wanted half-width.

    `of` names the number that gets it, `now` how many there are and `half_width_now` what they
    give. None: not known, or (needed) more than any study has. `freedom` are the degrees of freedom
    behind the noise assumed; few of them make `needed` a guess.
    """

    what: str
    of: str
    half_width: float
    needed: int | None
    now: int | None
    half_width_now: float | None
    freedom: float | None = None


def r2_half_width(r: float, n: int) -> float | None:
    r"""Half the width of Fisher's interval mapped to R², for a correlation r of n designs.

    With $z = \operatorname{artanh} |r|$ and $d = 1.96 / \sqrt{n - 3}$: half of $\tanh^2(z + d) -
    \tanh^2(\max(0, z - d))$. None for n < 4.
    """
    if n < 4:
        return None
    z, d = float(np.arctanh(min(abs(r), 1.0 - 1e-12))), Z95 / float(np.sqrt(n - 3))
    return float(np.tanh(z + d) ** 2 - np.tanh(max(0.0, z - d)) ** 2) / 2.0


def designs_for_r2(r: float, half_width: float) -> int | None:
    """Fewest designs whose R² interval is narrow enough, if r is what it is now.

    Fisher's interval takes designs as independent; designs that share blocks count for fewer.
    """
    return _fewest(4, MOST_DESIGNS, lambda n: r2_half_width(r, n), half_width)


def effect_half_width_of_seeds(run_variance: float, seeds: int, designs: int) -> float | None:
    r"""Half-width of a paired effect: $t_{(b - 1)(K - 1)} \sqrt{2 s^2 / K}$.

    s² is the variance of one run with its design and seed taken away (`paired_seed_variance`), K
    the seeds of each of b designs. None for one seed or one design.
    """
    freedom = (designs - 1) * (seeds - 1)
    if freedom < 1:
        return None
    return float(stats.t.ppf(0.975, freedom) * np.sqrt(2.0 * run_variance / seeds))


def seeds_for_effect(run_variance: float, half_width: float, *, designs: int) -> int | None:
    """Fewest seeds per design whose paired effects are known to the half-width."""
    return _fewest(
        2, MOST_SEEDS, lambda k: effect_half_width_of_seeds(run_variance, k, designs), half_width
    )


def items_for_effect(item_se: float, items: int, half_width: float) -> int:
    r"""Items that bring an effect's item noise down to the half-width: $m (1.96\, se / w)^2$.

    Noise of a mean goes with one over the root of the items, as long as new ones are like the old:
    as many to a video, in the same categories.

    Args:
        item_se: standard error of a difference of two designs by items, points.
        items: how many items that is with.
    """
    return max(1, int(np.ceil(items * (Z95 * item_se / half_width) ** 2 - 1e-9)))


def _fewest(low: int, high: int, width: Callable[[int], float | None], wanted: float) -> int | None:
    """Bisect for the least n with width(n) <= wanted; widths fall with n."""
    widest = width(high)
    if widest is None or widest > wanted:
        return None
    while low < high:
        middle = (low + high) // 2
        found = width(middle)
        if found is not None and found <= wanted:
            high = middle
        else:
            low = middle + 1
    return low
