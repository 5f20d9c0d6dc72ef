r"""Whether designs differ in the same way at every scale: two-way analysis of variance.

Scores in the metric's units ("points") of a scales and b designs, K replicates each. The
interaction is what is left of the cells' means once each scale's and each design's own mean is
taken away; without it every effect is equally large at every scale. A scale that merely stretches
all differences shows up as interaction too.

*Nested* replicates (seeds) are runs of their own in each cell: their spread within cells is the
error. *Crossed* replicates (items) are the same in all cells; each gives the whole table, and how
much an effect differs between them is that effect's error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics.item_scores import ItemScores, influence, scores_under
from analysis.statistics.scores import Scores, rounding_of
from analysis.statistics.two_way_fit import (
    additive_rest,
    group_rest,
    permutation_p,
    scale_basis,
    sum_up,
)
from analysis.statistics.weighted import chunks

Term = Literal["scale", "design", "scale x design"]
# Fewer crossed replicates have fewer than 32 ways to turn their signs: no p below .05 is possible.
FEWEST_TO_FLIP = 6


@dataclass(frozen=True)
class AnovaRow:
    """One line of the table; `p_permutation` only for the interaction. None: not defined."""

    term: Term
    sum_of_squares: float
    freedom: int
    error_sum_of_squares: float
    error_freedom: int
    f: float | None
    p: float | None
    partial_eta2: float | None
    p_permutation: float | None = None


def crossed_anova(
    values: NDArray[np.float64], *, rng: np.random.Generator, draws: int = 999
) -> tuple[AnovaRow, ...]:
    r"""Two-way analysis of replicates that every cell has, each effect against its own error.

    $F = \frac{SS_t / f_t}{SS_{t \times rep} / (f_t (K - 1))}$ for t = scale, design, interaction,
    with f = a - 1, b - 1, (a - 1)(b - 1); partial $\eta^2 = SS_t / (SS_t + SS_{t \times rep})$. F's
    distribution asks that all contrasts be equally noisy (sphericity). The permutation test does
    not: it turns the signs of whole replicates' interaction tables, which under no interaction are
    as likely as their opposites.

    Source: Winer (1971), section 7.3; Good (2005) on sign changes.

    Args:
        values: shape (scales, designs, replicates).

    Returns:
        No row for fewer than two scales, designs or replicates.
    """
    a, b, k = values.shape
    if min(values.shape) < 2:
        return ()
    by_scale, by_design, both = _contrasts(values)
    sizes: dict[Term, tuple[Scores, int, int]] = {
        "scale": (by_scale, b, a - 1),
        "design": (by_design, a, b - 1),
        "scale x design": (both.reshape(a * b, k), 1, (a - 1) * (b - 1)),
    }
    flipped = _sign_flips(both.reshape(a * b, k), rng, draws)
    floor = (rounding_of(values) * 1e3) ** 2
    rows: list[AnovaRow] = []
    for term, (contrasts, times, freedom) in sizes.items():
        means = contrasts.mean(axis=1)
        effect = times * k * float(means @ means)
        error = times * float(np.sum((contrasts - means[:, None]) ** 2))
        p = flipped if term == "scale x design" else None
        rows.append(_row(term, effect, freedom, error, freedom * (k - 1), floor, p))
    return tuple(rows)


def nested_anova(
    scores: Scores,
    scale: NDArray[np.intp],
    design: NDArray[np.intp],
    *,
    rng: np.random.Generator,
    draws: int = 999,
) -> tuple[AnovaRow, ...]:
    r"""Two-way analysis of runs, balanced or ragged, with type II sums of squares.

    $SS_{scale} = R(scale | design)$, the drop in the residual sum of squares when scale joins
    design; likewise for design; interaction = residual of the additive model over cell means,
    weighted by runs. Error = runs about their cell's mean. Balanced tables have the closed form
    $SS_{AB} = K \sum (\bar y_{ij} - \bar y_{i\cdot} - \bar y_{\cdot j} + \bar y)^2$, which this
    equals. A cell that is missing costs a degree of freedom of the interaction.

    The permutation test shuffles the additive model's residuals over runs (Freedman and Lane 1983).

    Source: Yates (1934); Langsrud (2003) on type II.

    Args:
        scores: single runs, shape (runs,).
        scale, design: codes of each run from 0, shape (runs,).

    Returns:
        No row where no cell has two runs, or where there are fewer than two scales or designs.
    """
    cells = sum_up(scores, scale, design)
    if cells.freedom < 1 or np.unique(cells.scale).size < 2 or np.unique(cells.design).size < 2:
        return ()
    scales = scale_basis(cells)
    weighted = np.sqrt(cells.count) * cells.mean
    additive = float(additive_rest(cells, scales, weighted[None, :])[0])
    designs, rank = np.unique(cells.design).size, np.unique(cells.design).size + scales.shape[1]
    of_scale = group_rest(cells, cells.scale) - additive
    of_design = group_rest(cells, cells.design) - additive
    both = cells.mean.size - rank
    floor = (rounding_of(scores) * 1e3) ** 2
    p = permutation_p(scores, scale, design, cells, scales, rng, draws) if both else None
    error = (cells.within, cells.freedom)
    return (
        _row("scale", of_design, rank - designs, *error, floor),
        _row("design", of_scale, rank - np.unique(cells.scale).size, *error, floor),
        _row("scale x design", additive, both, *error, floor, p),
    )


def video_values(items: ItemScores) -> Scores:
    r"""Write every cell's score as the mean of one value per video, $x + V \psi_v$.

    $\psi$ is the video's influence on the score x (without the factor V / (V - 1)); the values'
    spread then gives the score's variance over videos, whatever the sizes of categories and videos.

    Source: the infinitesimal jackknife, Jaeckel (1972).

    Returns:
        shape (scales, designs, videos), in the metric's units; NaN for a cell without a score.
    """
    v = items.n_clusters
    plain = influence(items) * (np.sqrt((v - 1) / v) if v > 1 else 1.0)
    own = scores_under(items, np.ones((1, v)))[0]
    return np.swapaxes(own[:, :, None] + v * plain, 0, 1)


def _contrasts(values: Scores) -> tuple[Scores, Scores, Scores]:
    """Per replicate: scale means, design means, interaction, each less what is above it."""
    grand = values.mean(axis=(0, 1))
    by_scale, by_design = values.mean(axis=1) - grand, values.mean(axis=0) - grand
    return by_scale, by_design, values - grand - by_scale[:, None, :] - by_design[None, :, :]


def _sign_flips(contrasts: Scores, rng: np.random.Generator, draws: int) -> float | None:
    """Share of sign changes whose interaction is at least as large; the table itself counts.

    The replicates' squares do not change with their signs, so the mean's square alone decides.
    """
    k = contrasts.shape[1]
    if k < FEWEST_TO_FLIP:
        return None
    at = float(np.sum(contrasts.mean(axis=1) ** 2))
    reached = 1
    for rows in chunks(draws, k):
        signs = rng.choice(np.array([-1.0, 1.0]), size=(rows.stop - rows.start, k))
        drawn = np.sum((signs @ contrasts.T / k) ** 2, axis=1)
        reached += int(np.sum(drawn >= at * (1 - 1e-9)))
    return reached / (draws + 1)


def _row(
    term: Term,
    effect: float,
    freedom: int,
    error: float,
    error_freedom: int,
    floor: float,
    p_permutation: float | None = None,
) -> AnovaRow:
    if freedom < 1 or error <= floor * max(error_freedom, 1):
        return AnovaRow(term, max(effect, 0.0), freedom, error, error_freedom, None, None, None)
    f = max(effect, 0.0) / freedom / (error / error_freedom)
    return AnovaRow(
        term,
        max(effect, 0.0),
        freedom,
        error,
        error_freedom,
        f,
        float(stats.f.sf(f, freedom, error_freedom)),
        max(effect, 0.0) / (max(effect, 0.0) + error),
        p_permutation,
    )
