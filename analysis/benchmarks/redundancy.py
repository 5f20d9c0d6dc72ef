r"""Do two benchmarks, or two groups of items, order models alike? $R^2$ over models.

$R^2$ is the squared Pearson correlation of two scores over the models that have both, with Fisher's
interval, which takes models for independent draws: variants of one sweep, or sizes of one family,
are not, and then it is too narrow. Few items blur scores and push $R^2$ down; `r2_ceiling`, the
product of both reliabilities, is what two measures of the very same thing would reach with so many
items. The reliability is 1 less the mean item variance of a model's distance from the mean model
over the variance between models (Spearman, 1904).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.benchmarks.group_scores import ALL, Group, groups_of, score_group
from analysis.statistics.intervals import Interval, fisher_interval, square_interval
from analysis.statistics.scores import Scores, is_constant

# R² from which on one of two series tells what the other would.
REDUNDANT = 0.8
# Fewer models give intervals that span almost everything.
FEW_MODELS = 15


@dataclass(frozen=True)
class Series:
    """Scores of all models (NaN where one has none), with how reliable their order is."""

    benchmark: str
    column: str
    group: str
    scores: Scores
    reliability: float | None

    @property
    def label(self) -> str:
        """Name it: the benchmark, or benchmark / group."""
        return self.benchmark if self.column == ALL else f"{self.benchmark} / {self.group}"


@dataclass(frozen=True)
class Correlation:
    """Two series over n models; None where too few, or constant, scores leave nothing to say.

    `verdict`: `redundant` (R² surely at least .8), `distinct` (surely below, and its ceiling is
    not), `undecided`.
    """

    column: str
    first: str
    second: str
    n: int
    r: float | None
    r2: float | None
    r2_ci: Interval | None
    r2_ceiling: float | None
    verdict: str
    warning: str | None


@dataclass(frozen=True)
class Matrix:
    """All pairs of the series of one column (`all`: whole benchmarks), under one regime."""

    column: str
    regime: str
    labels: tuple[str, ...]
    pairs: tuple[Correlation, ...]


def matrices(sheets: Sequence[AnswerSheet]) -> list[Matrix]:
    """A matrix of whole benchmarks, and one for each grouping column; each needs two series.

    Groups of different columns share items, so they are never set beside each other.
    """
    regime = "video" if any("video" in sheet.right for sheet in sheets) else None
    if regime is None:
        regime = next((name for sheet in sheets for name in sheet.right), "")
    series = [
        found
        for sheet in sheets
        if regime in sheet.right
        for group in groups_of(sheet)
        if (found := _series(sheet, group, regime)) is not None
    ]
    columns = dict.fromkeys(one.column for one in series)
    return [
        Matrix(
            column,
            regime,
            tuple(one.label for one in own),
            tuple(correlate(a, b) for a, b in combinations(own, 2)),
        )
        for column in columns
        if len(own := [one for one in series if one.column == column]) > 1
    ]


def correlate(a: Series, b: Series) -> Correlation:
    """Correlate two series over the models that have both."""
    both = np.isfinite(a.scores) & np.isfinite(b.scores)
    x, y, n = a.scores[both], b.scores[both], int(both.sum())
    few = f"n = {n} models, fewer than {FEW_MODELS}" if n < FEW_MODELS else None
    if n < 3 or is_constant(x) or is_constant(y):
        why = few if n < 3 else "all models score the same"
        return Correlation(a.column, a.label, b.label, n, None, None, None, None, "undecided", why)
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -1.0, 1.0))
    ci = fisher_interval(r, n)
    r2_ci = None if ci is None else square_interval(ci)
    known = a.reliability is not None and b.reliability is not None
    ceiling = float(a.reliability or 0.0) * float(b.reliability or 0.0) if known else None
    verdict = _verdict(r, r2_ci, ceiling)
    return Correlation(a.column, a.label, b.label, n, r, r * r, r2_ci, ceiling, verdict, few)


def _verdict(r: float, r2_ci: Interval | None, ceiling: float | None) -> str:
    if r2_ci is None:
        return "undecided"
    if r > 0 and r2_ci[0] >= REDUNDANT:
        return "redundant"
    # Where the items' own noise forbids R² = .8, a low one does not say that they differ.
    return "distinct" if r2_ci[1] < REDUNDANT <= (ceiling or 0.0) else "undecided"


def _series(sheet: AnswerSheet, group: Group, regime: str) -> Series | None:
    found = score_group(sheet, group, sheet.by_model(regime)[None])
    if found is None:
        return None
    scores = np.full(len(sheet.models), np.nan)
    scores[found.models] = found.values[0]
    reliability = _reliability(found.values[0], found.moved[0])
    return Series(sheet.benchmark, group.column, group.group, scores, reliability)


def _reliability(scores: Scores, moved: Scores) -> float | None:
    if min(moved.shape) < 2 or scores.size < 3 or is_constant(scores):
        return None
    apart = moved - moved.mean(axis=0)
    noise = float(np.sum(apart**2)) / (scores.size - 1)
    return float(np.clip(1.0 - noise / scores.var(ddof=1), 0.0, 1.0))
