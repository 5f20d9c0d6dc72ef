r"""What a benchmark loses without its videos: accuracy by regime, and paired differences.

The same items are asked in every regime, of several models. Two questions are asked of a
difference, and each has its own interval.

- Would it be so with other videos? The models stay, videos are drawn (items of a video together).
  With $\psi_{mv}$ the influence of video v on model m's difference, $\bar\psi_v$ its mean over
  models, $\operatorname{var}_V = \sum_v \bar\psi_v^2$; a t interval with V - 1 degrees of freedom.
- And with other models too? Both are drawn, crossed: $\operatorname{var} = \operatorname{var}_V +
  \operatorname{var}_M - \operatorname{var}_{MV}$ with $\operatorname{var}_M = s_M^2 / M$ of the
  models' differences and $\operatorname{var}_{MV} = \sum_{mv} \psi_{mv}^2 / M^2$; at least the
  larger of the two parts; min(M, V) - 1 degrees of freedom. It speaks of models drawn like these;
  variants of one sweep are alike, and it says nothing of strangers.

Source: the linearised cluster estimator, Cochran (1977), section 9A; two-way clusters, Cameron,
Gelbach and Miller (2011), equation 2.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.benchmarks.group_scores import GroupScores, groups_of, guessing, score_group
from analysis.statistics.effects import holm
from analysis.statistics.intervals import Interval
from analysis.statistics.scores import Scores

CHANCE = "chance"
# Differences that a benchmark needs, or that its makers would rather not find.
COMPARISONS = (
    ("video", "center_frame"),
    ("video", "text"),
    ("video", "shuffled"),
    ("center_frame", "text"),
    ("text", CHANCE),
)
# Points; a difference that is surely smaller is of no use to anyone who compares models.
NEGLIGIBLE = 2.0


@dataclass(frozen=True)
class Mean:
    """A mean over models of a score or a difference, per cent or points.

    `ci` is for other videos and these models, `ci_models` for other models too; both 95 %, None
    where one video, one model, or no spread leaves nothing to tell. `p` (two-sided, against 0) goes
    with `ci`. `lowest` and `highest` are single models'.
    """

    value: float
    ci: Interval | None
    ci_models: Interval | None
    p: float | None
    lowest: float
    highest: float
    models: int
    items: int
    videos: int


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of one regime in one group, per cent, with what guessing would get (or None)."""

    benchmark: str
    column: str
    group: str
    regime: str
    accuracy: Mean
    chance: float | None


@dataclass(frozen=True)
class Gap:
    """One regime less another (or less chance), on the items and models that have both, in points.

    `p_holm` is adjusted over all groups and benchmarks of the same comparison. `verdict` is
    `higher` or `lower` (p_holm at most .05), `equal within 2 points` (`ci` inside that band),
    `undecided`, `identical` (the same answers were right) or `not testable`.
    """

    benchmark: str
    column: str
    group: str
    first: str
    second: str
    gap: Mean
    p_holm: float | None = None
    verdict: str = "not testable"


def accuracies(sheet: AnswerSheet) -> list[Accuracy]:
    """Accuracy of every regime in every group, over all answers that are there."""
    found: list[Accuracy] = []
    for regime in sheet.right:
        rows = sheet.by_model(regime)
        for group in groups_of(sheet):
            scores = score_group(sheet, group, rows[None])
            if scores is None:
                continue
            asked = np.asarray(np.isfinite(rows[:, group.items]).any(axis=0))
            place = (sheet.benchmark, group.column, group.group, regime)
            found.append(Accuracy(*place, _mean(scores), guessing(sheet, group, asked)))
    return found


def gaps(sheet: AnswerSheet) -> list[Gap]:
    """Every comparison that the regimes of a benchmark allow, in every group; not yet adjusted."""
    found: list[Gap] = []
    for first, second in COMPARISONS:
        if first not in sheet.right or (second != CHANCE and second not in sheet.right):
            continue
        a = sheet.by_model(first)
        b = np.broadcast_to(sheet.guess, a.shape) if second == CHANCE else sheet.by_model(second)
        for group in groups_of(sheet):
            scores = score_group(sheet, group, np.stack([a, b]))
            if scores is not None:
                place = (sheet.benchmark, group.column, group.group, first, second)
                found.append(Gap(*place, _mean(scores)))
    return found


def adjusted(found: Sequence[Gap]) -> list[Gap]:
    """Adjust p values within each comparison, over all benchmarks and groups, and judge."""
    settled: dict[int, Gap] = {}
    for comparison in COMPARISONS:
        family = [i for i, gap in enumerate(found) if (gap.first, gap.second) == comparison]
        for i, p in zip(family, holm([found[i].gap.p for i in family]), strict=True):
            settled[i] = replace(found[i], p_holm=p, verdict=_verdict(found[i].gap, p))
    return [settled[i] for i in range(len(found))]


def mean_of(values: Scores, moved: Scores, *, items: int) -> Mean:
    """Mean over models with both intervals.

    Args:
        values: one value per model, shape (M,).
        moved: influence of each video on each, shape (M, V); products are covariances.
    """
    m, v = moved.shape
    value = float(values.mean())
    by_video = float(np.sum(moved.mean(axis=0) ** 2))
    by_model = float(values.var(ddof=1)) / m if m > 1 else 0.0
    crossed = by_video + by_model - float(np.sum(moved**2)) / m**2
    both = max(by_video, by_model, crossed)
    seen = v > 1 and by_video > 0
    ci = _t_interval(value, by_video, v - 1) if seen else None
    ci_models = _t_interval(value, both, min(m, v) - 1) if v > 1 and m > 1 and both > 0 else None
    p = float(2 * stats.t.sf(abs(value) / np.sqrt(by_video), v - 1)) if seen else None
    low, high = float(values.min()), float(values.max())
    return Mean(value, ci, ci_models, p, low, high, models=m, items=items, videos=v)


def _t_interval(value: float, variance: float, freedom: int) -> Interval:
    half = float(stats.t.ppf(0.975, freedom)) * float(np.sqrt(variance))
    return (value - half, value + half)


def _mean(found: GroupScores) -> Mean:
    """Mean over models of the first row of scores, or of the first less the second."""
    if len(found.values) == 1:
        return mean_of(found.values[0], found.moved[0], items=found.items)
    values, moved = found.values[0] - found.values[1], found.moved[0] - found.moved[1]
    return mean_of(values, moved, items=found.items)


def _verdict(gap: Mean, p_holm: float | None) -> str:
    if gap.ci is None or p_holm is None:
        same = gap.videos > 1 and gap.lowest == gap.highest == 0.0
        return "identical" if same else "not testable"
    if p_holm <= 0.05:
        return "higher" if gap.value > 0 else "lower"
    inside = max(abs(end) for end in gap.ci) < NEGLIGIBLE
    return f"equal within {NEGLIGIBLE:g} points" if inside else "undecided"
