r"""Linear probes in closed form: what can be read off features by a linear map, no training loop.

Ridge regression to one-hot answers, $W = (X^T X + \lambda I)^{-1} X^T Y$ of centred and scaled
features $X$; the class with the highest value is what the probe says. $\lambda$ is the one of
`STRENGTHS` with the least leave-one-out error on the training rows (Allen's PRESS), so that nothing
of the test rows is used.

Source: Hastie, Tibshirani & Friedman (2009), sections 3.4.1 and 7.10.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Shaped

Features = Float[np.ndarray, "rows dim"]
More = Float[np.ndarray, "more dim"]
STRENGTHS = tuple(10.0**power for power in range(-3, 6))


@dataclass(frozen=True)
class Probe:
    """A fitted linear map: `(x - mean) / scale @ weights + offset`."""

    mean: Float[np.ndarray, " dim"]
    scale: Float[np.ndarray, " dim"]
    weights: Float[np.ndarray, "dim targets"]
    offset: Float[np.ndarray, " targets"]

    def values(self, features: Features) -> Float[np.ndarray, "rows targets"]:
        """What is read off each row."""
        return (features - self.mean) / self.scale @ self.weights + self.offset


def fit(features: Features, targets: Float[np.ndarray, "rows targets"]) -> Probe:
    """The ridge regression of `targets` with the least leave-one-out error."""
    mean, scale = features.mean(0), features.std(0) + 1e-8
    x, offset = (features - mean) / scale, targets.mean(0)
    y = targets - offset
    left, singular, right = np.linalg.svd(x, full_matrices=False)
    inside = left.T @ y

    def press(strength: float) -> float:
        shrink = singular**2 / (singular**2 + strength)
        leverage = (left**2 * shrink).sum(1) + 1 / len(x)
        residual = (y - left @ (shrink[:, None] * inside)) / np.maximum(1 - leverage, 1e-6)[:, None]
        return float((residual**2).mean())

    best = min(STRENGTHS, key=press)
    weights = right.T @ ((singular / (singular**2 + best))[:, None] * inside)
    return Probe(mean, scale, weights, offset)


def probe_accuracy(
    train: tuple[Features, Shaped[np.ndarray, " rows"]],
    test: tuple[More, Shaped[np.ndarray, " more"]],
) -> float:
    """Share of test rows whose class is read off right, each class weighing the same.

    Weighted so that chance is one over the number of classes, however rare some are.
    """
    features, answers = train
    classes = np.unique(answers)
    told = classes[fit(features, _one_hot(answers, classes)).values(test[0]).argmax(1)]
    right = told == test[1]
    return float(np.mean([right[test[1] == each].mean() for each in np.unique(test[1])]))


def presence_accuracy(
    train: tuple[Features, Bool[np.ndarray, "rows things"]],
    test: tuple[More, Bool[np.ndarray, "more things"]],
) -> float:
    """Of things that may be there or not: mean over things of the balanced accuracy; chance 0.5.

    A thing counts as there where its value is above the mean of its training means of both kinds.
    Things that are always or never there are not asked for; without any other the answer is nan.
    """
    varied = [_varies(things) for things in (train[1].T, test[1].T)]
    asked = np.flatnonzero(varied[0] & varied[1])
    there, truth = train[1][:, asked], test[1][:, asked]
    probe = fit(train[0], there.astype(np.float64))
    seen, told = probe.values(train[0]), probe.values(test[0])
    bar = (_mean_where(seen, there) + _mean_where(seen, ~there)) / 2
    hits, rejected = _mean_where(told > bar, truth), _mean_where(told <= bar, ~truth)
    return float(np.mean((hits + rejected) / 2))


def _varies(things: Bool[np.ndarray, "things rows"]) -> Bool[np.ndarray, " things"]:
    return np.logical_and(things.any(1), ~things.all(1))


def _mean_where(
    values: np.ndarray, where: Bool[np.ndarray, "rows things"]
) -> Float[np.ndarray, " things"]:
    return (values * where).sum(0) / where.sum(0)


def _one_hot(answers: Shaped[np.ndarray, " rows"], classes: np.ndarray) -> np.ndarray:
    return (answers[:, None] == classes).astype(np.float64)
