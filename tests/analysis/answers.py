"""Answers to items, simulated: who is right depends on design, scale, video and chance."""

import numpy as np

from analysis.statistics.item_scores import ItemScores, collect


def simulate(
    rng: np.random.Generator,
    *,
    designs: int = 6,
    scales: int = 2,
    videos: int = 40,
    per_video: int = 3,
    categories: int = 3,
    skill: float = 0.5,
) -> tuple[np.ndarray, ItemScores]:
    """Return who was right, (cells, items), and the same summed up."""
    items = videos * per_video
    clusters = np.repeat(np.arange(videos), per_video)
    kinds = rng.integers(0, categories, items)
    hard = rng.normal(size=videos)[clusters]
    ability = skill * rng.normal(size=designs).repeat(scales)
    chance = 1 / (1 + np.exp(hard[None] - ability[:, None]))
    right = (rng.random((designs * scales, items)) < chance).astype(float)
    return right, collect(right, clusters, kinds, shape=(designs, scales), unit=100.0)


def slow_scores(right: np.ndarray, kinds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Unweighted mean over categories of the weighted share right, one cell at a time, in %."""
    scores = []
    for row in right:
        shares = [
            np.sum(weights[of] * row[of]) / np.sum(weights[of])
            for of in (kinds == kind for kind in np.unique(kinds))
            if np.sum(weights[of]) > 0
        ]
        scores.append(100 * np.mean(shares))
    return np.array(scores)
