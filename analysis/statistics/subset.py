r"""Which designs to run at the large scale when not all can be: verify on a subset.

A model of what the large scale would say: $l_i = \alpha + \beta s_i + \sigma \epsilon_i$ with
standard normal $\epsilon$, s the small scale's scores of n designs in points, higher is better.
Running k designs measures the line on them; the others are foretold by it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.scores import Scores, is_constant

Strategy = Literal["tightest slope", "best at the small scale"]
FEWEST_FOR_SLOPE = 3


@dataclass(frozen=True)
class Subset:
    """What running k designs in place of all n would give.

    `designs` are places in the scores given. `slope_half_width` is that of a 95 % t interval of
    `slope` (points per point; None for k < 3 or designs all alike), `slope_error_ratio` its
    standard error over that with all designs. `expected_loss` is the mean, over simulated futures,
    of the best design's score at the large scale less that of the design one would take (`losses`);
    running all loses nothing. `loss_error` is the simulation's own standard error.
    """

    strategy: Strategy
    k: int
    designs: tuple[int, ...]
    slope_half_width: float | None
    slope_error_ratio: float | None
    expected_loss: float
    loss_error: float


def plan_subsets(
    small: Scores,
    *,
    slope: float,
    sigma: float,
    ks: Sequence[int],
    rng: np.random.Generator,
    draws: int = 2000,
) -> tuple[Subset, ...]:
    """Compare both ways to pick k designs, for each k.

    Args:
        small: shape (n,).
        slope, sigma: of the model, per point and in points; from a pair of scales already run.
        ks: numbers of designs to run, each at most n.
    """
    futures = slope * small + sigma * rng.standard_normal((draws, small.size))
    return tuple(
        _judge(small, futures, pick(small, k), sigma=sigma, strategy=strategy)
        for k in ks
        for strategy, pick in STRATEGIES.items()
    )


def tightest(small: Scores, k: int) -> NDArray[np.intp]:
    r"""The k designs with the largest $\sum (s_i - \bar s)^2$, places in ascending order.

    The slope's variance is $\sigma^2$ over that sum. The sum is convex in each score, so the best
    set is the j lowest and the k - j highest for some j; all j are tried.

    Source: optimal designs for a straight line lie at the ends, Atkinson and Donev (1992), ch. 2.
    """
    order = np.argsort(small, kind="stable")
    n = small.size
    candidates = [np.concatenate([order[:j], order[n - (k - j) :]]) for j in range(k + 1)]
    spreads = [_spread(small[chosen]) for chosen in candidates]
    return np.sort(candidates[int(np.argmax(spreads))])


def best(small: Scores, k: int) -> NDArray[np.intp]:
    """The k designs with the highest scores; places in ascending order."""
    return np.sort(np.argsort(-small, kind="stable")[:k])


STRATEGIES: Mapping[Strategy, Callable[[Scores, int], NDArray[np.intp]]] = {
    "tightest slope": tightest,
    "best at the small scale": best,
}


def losses(small: Scores, futures: Scores, chosen: NDArray[np.intp], *, foretell: bool) -> Scores:
    """Points lost in each future by taking the design that looks best, shape (draws,).

    A design that was run looks as it scored. With `foretell`, others look as the line through those
    that were run says; else, and with fewer than 3 run or all of them alike, worse than any. A line
    through the best few reaches far beyond its ends, so foretelling is for the tightest subset.

    Args:
        small: shape (n,).
        futures: scores at the large scale, shape (draws, n).
        chosen: places of the designs that are run.
    """
    looks = np.full_like(futures, -np.inf)
    if foretell and _has_slope(small[chosen]):
        x, y = small[chosen], futures[:, chosen]
        gap = x - x.mean()
        slope = (y @ gap) / (gap @ gap)
        looks = y.mean(axis=1)[:, None] + slope[:, None] * (small - x.mean())
    looks[:, chosen] = futures[:, chosen]
    taken = np.argmax(looks, axis=1)
    return futures.max(axis=1) - futures[np.arange(len(futures)), taken]


def _judge(
    small: Scores,
    futures: Scores,
    chosen: NDArray[np.intp],
    *,
    sigma: float,
    strategy: Strategy,
) -> Subset:
    lost = losses(small, futures, chosen, foretell=strategy == "tightest slope")
    spread, k = _spread(small[chosen]), chosen.size
    known = _has_slope(small[chosen])
    half = float(stats.t.ppf(0.975, k - 2)) * sigma / np.sqrt(spread) if known else None
    return Subset(
        strategy=strategy,
        k=k,
        designs=tuple(int(i) for i in chosen),
        slope_half_width=None if half is None else float(half),
        slope_error_ratio=float(np.sqrt(_spread(small) / spread)) if known else None,
        expected_loss=float(lost.mean()),
        loss_error=float(lost.std(ddof=1) / np.sqrt(lost.size)),
    )


def _has_slope(scores: Scores) -> bool:
    return scores.size >= FEWEST_FOR_SLOPE and not is_constant(scores)


def _spread(scores: Scores) -> float:
    return float(np.sum((scores - scores.mean()) ** 2)) if scores.size else 0.0
