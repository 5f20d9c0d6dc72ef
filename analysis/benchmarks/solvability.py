r"""How far an item can be solved without its video: a probability, not a majority vote.

Of n models k are right on an item whose guess rate is g. The rate p that models like these reach
is drawn from a Beta distribution fitted to all items of the same guess rate (maximum likelihood of
the beta-binomial), so $p \mid k \sim \mathrm{Beta}(\alpha + k, \beta + n - k)$. Solvability is the
share of the way from guessing to certainty, $s = (p - g) / (1 - g)$; an item counts as solvable
when $P(s > 1/2)$ is high. A bare majority of 10 guessing models passes 2 % of four-way and 38 % of
two-way items by luck.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

from analysis.errors import TableError
from analysis.statistics.scores import Scores

# An item is left out of a curated benchmark from this probability on.
SURE = 0.95
# Between items that differ no more than chance, the likelihood grows with the concentration for
# ever; beyond this the prior is a point for all that n models can tell.
_MOST_CONCENTRATED = 1e4


@dataclass(frozen=True)
class Solvability:
    """Per item, shape (items,): posterior mean of s, its 95 % interval, and P(s > 1/2)."""

    mean: Scores
    low: Scores
    high: Scores
    probability: Scores

    @property
    def solvable(self) -> NDArray[np.bool_]:
        """Items that are surely solved without video."""
        return self.probability >= SURE


def lucky_majority(models: int, guess: float) -> float:
    """Share of items on which more than half of so many guessing models are right."""
    return float(stats.binom.sf(models // 2, models, guess))


def solvability(right: Scores, guess: Scores) -> Solvability:
    """Estimate solvability of each item.

    Args:
        right: answers without video, NaN where not asked, shape (items, models).
        guess: guess rates in (0, 1), shape (items,). An item of unknown rate gets NaN.

    Raises:
        TableError: no item has a known guess rate.
    """
    if not np.isfinite(guess).any():
        raise TableError(
            "solvability without video is measured against guessing: the table needs n_options,"
            " or name the column of guess rates with --guess."
        )
    n, k = np.isfinite(right).sum(axis=1), np.nansum(right, axis=1)
    found = np.full((4, len(right)), np.nan)
    for rate in np.unique(guess[np.isfinite(guess)]):
        of = guess == rate
        alpha, beta = _fit(k[of], n[of])
        posterior = stats.beta(alpha + k[of], beta + n[of] - k[of])
        rates = np.array([posterior.mean(), *posterior.ppf([[0.025], [0.975]])])
        found[:3, of] = (rates - rate) / (1 - rate)
        found[3, of] = posterior.sf((1 + rate) / 2)
    return Solvability(*found)


def _fit(k: Scores, n: NDArray[np.intp]) -> tuple[float, float]:
    """Maximise the beta-binomial likelihood over mean and concentration."""
    start = np.clip(k.sum() / max(n.sum(), 1), 0.01, 0.99)

    def loss(point: NDArray[np.float64]) -> float:
        mean, size = special.expit(point[0]), np.exp(point[1])
        a, b = mean * size, (1 - mean) * size
        return -float(np.sum(special.betaln(a + k, b + n - k) - special.betaln(a, b)))

    bounds = [(-6.0, 6.0), (np.log(0.2), np.log(_MOST_CONCENTRATED))]
    first = np.array([special.logit(start), np.log(5.0)])
    found = optimize.minimize(loss, first, bounds=bounds, method="L-BFGS-B")
    mean, size = special.expit(found.x[0]), np.exp(found.x[1])
    return float(mean * size), float((1 - mean) * size)
