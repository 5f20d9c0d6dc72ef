r"""What the answers of few models say about items: difficulty, slope, and a shrunken 2PL.

With ten models an item's own numbers are mostly noise, so each is pulled towards what items like it
show. Slope: the covariance $b_i$ of being right with the standardised full score z; items of
difficulty $p_i$ are expected at $c\,p_i(1-p_i)$, and $\lambda_i = c\,g_i + w_i (b_i - c\,g_i)$ with
$g_i = p_i(1-p_i)$, $w_i = \tau^2 / (\tau^2 + g_i/M)$ (empirical Bayes, moments).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from analysis.statistics.scores import Scores

# Prior standard deviations of the 2PL on the standardised logit of ability: slopes about the
# pooled slope, thresholds about 0. Ten answers move a slope little at 0.4.
_SLOPE_SPREAD, _THRESHOLD_SPREAD = 0.4, 3.0
_NEWTON_STEPS = 12


@dataclass(frozen=True)
class ItemTraits:
    """Fitted on some models, shape (items,) each.

    Attributes:
        rate: the share of models that are right, as observed.
        difficulty: the same, shrunken within the item's category (beta-binomial moments).
        slope: shrunken covariance with the standardised full score.
        low_slope, high_slope: `slope` plus the covariance within the weaker and the stronger half
            of the models: whether an item separates weak models, or strong ones, from each other.
        discrimination, threshold: 2PL, logit P(right) = a t + d, t the standardised logit score.
        category: code of the item's category from 0.
        seconds: its cost.
    """

    rate: Scores
    difficulty: Scores
    slope: Scores
    low_slope: Scores
    high_slope: Scores
    discrimination: Scores
    threshold: Scores
    category: NDArray[np.intp]
    seconds: Scores


def fit_traits(right: Scores, category: NDArray[np.intp], seconds: Scores) -> ItemTraits:
    """Fit all traits on answers of shape (items, models), at least 2 models."""
    rate = right.mean(axis=1)
    difficulty = shrunken_difficulty(right, category)
    discrimination, threshold = fit_2pl(right)
    slope = shrunken_slope(right, difficulty)
    low, high = half_slopes(right)
    return ItemTraits(
        rate=rate,
        difficulty=difficulty,
        slope=slope,
        low_slope=slope + low,
        high_slope=slope + high,
        discrimination=discrimination,
        threshold=threshold,
        category=category,
        seconds=seconds,
    )


def shrunken_difficulty(right: Scores, category: NDArray[np.intp]) -> Scores:
    """Pull each item's share right towards its category's, by the spread beyond binomial noise."""
    rate, models = right.mean(axis=1), right.shape[1]
    shrunken = np.empty_like(rate)
    for code in np.unique(category):
        of = category == code
        mean = float(np.clip(rate[of].mean(), 0.01, 0.99))
        noise = mean * (1 - mean)
        spread = float(rate[of].var(ddof=1)) if of.sum() > 1 else 0.0
        overdispersion = (spread - noise / models) / (noise * (1 - 1 / models))
        prior = 1 / float(np.clip(overdispersion, 1e-3, 1.0)) - 1
        shrunken[of] = (rate[of] * models + mean * prior) / (models + prior)
    return np.clip(shrunken, 0.01, 0.99)


def shrunken_slope(right: Scores, difficulty: Scores) -> Scores:
    """Covariance of each item with the standardised full score, shrunken as the module says."""
    total = right.mean(axis=0)
    if total.std() == 0:
        return np.zeros(len(right))
    z = (total - total.mean()) / total.std()
    own = (right - right.mean(axis=1, keepdims=True)) @ z / len(z)
    shape = difficulty * (1 - difficulty)
    expected = shape * float(own @ shape / (shape @ shape))
    noise = shape / len(z)
    spread = max(float(np.mean((own - expected) ** 2 - noise)), 1e-5)
    return expected + spread / (spread + noise) * (own - expected)


def half_slopes(right: Scores) -> tuple[Scores, Scores]:
    """Covariance with the score within the weaker and the stronger half of the models.

    The halves share the middle; each half's scores are standardised, so that an item may earn as
    much by telling weak models apart as by telling weak from strong.
    """
    score, models = right.mean(axis=0), right.shape[1]
    order = np.argsort(score, kind="stable")
    halves: list[Scores] = []
    for half in (order[: models // 2 + 1], order[max(models // 2 - 1, 0) :]):
        z = score[half] - score[half].mean()
        spread = float(z.std())
        halves.append(right[:, half] @ (z / spread) / models if spread else np.zeros(len(right)))
    return halves[0], halves[1]


def standardised_ability(right: Scores) -> Scores:
    """Logits of the models' full scores, to mean 0 and standard deviation 1."""
    score = np.clip(right.mean(axis=0), 0.01, 0.99)
    logit = np.log(score / (1 - score))
    return (logit - logit.mean()) / (logit.std() or 1.0)


def fit_2pl(right: Scores) -> tuple[Scores, Scores]:
    """Fit logit P = a t + d to every item at once (Newton), with a drawn to the pooled slope.

    Abilities t are held at the models' full scores: over many items their error is nothing beside
    an item's. The pooled slope is that of a 1PL, in which every item has the same a.
    """
    t = standardised_ability(right)
    a, d = np.ones(len(right)), np.zeros(len(right))
    pooled = 1.0
    for _ in range(_NEWTON_STEPS):
        p = expit(np.clip(a[:, None] * t + d[:, None], -30, 30))
        error, weight = right - p, p * (1 - p)
        slope_pull, level_pull = _SLOPE_SPREAD**-2, _THRESHOLD_SPREAD**-2
        grad_a = error @ t - slope_pull * (a - pooled)
        grad_d = error.sum(axis=1) - level_pull * d
        aa, ad = weight @ t**2 + slope_pull, weight @ t
        dd = weight.sum(axis=1) + level_pull
        determinant = aa * dd - ad**2
        a = a + np.clip((dd * grad_a - ad * grad_d) / determinant, -1, 1)
        d = d + np.clip((aa * grad_d - ad * grad_a) / determinant, -2, 2)
        # Empirical Bayes: the prior's mean follows the items', never to a negative slope.
        pooled = max(float(a.mean()), 0.1)
    return a, d
