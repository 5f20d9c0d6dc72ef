"""Scores of models on a group of items, each with how much every video moves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.benchmarks.answer_sheets import MOST_GROUPS, AnswerSheet
from analysis.statistics.item_scores import collect, influence, scores_under
from analysis.statistics.scores import Scores

ALL = "all"


@dataclass(frozen=True)
class Group:
    """Items of a benchmark that share a value of a column; column and group `all`: every item."""

    column: str
    group: str
    items: NDArray[np.bool_]


@dataclass(frozen=True)
class GroupScores:
    """Scores of R kinds of answers, which every model here gave to the same items.

    Attributes:
        values: per cent, shape (R, M).
        moved: influence of each video on each, shape (R, M, V); products are covariances.
        models: places of the M models among those of the sheet.
        items: number of items.
    """

    values: Scores
    moved: Scores
    models: NDArray[np.intp]
    items: int


def groups_of(sheet: AnswerSheet) -> Iterator[Group]:
    """All items, then each group of each column that tells items apart."""
    yield Group(ALL, ALL, np.ones(len(sheet.items), dtype=bool))
    for column, names in sheet.groups.items():
        found = [name for name in dict.fromkeys(names.tolist()) if name]
        if 1 < len(found) <= MOST_GROUPS or (len(found) == 1 and (names == "").any()):
            yield from (Group(column, name, names == name) for name in sorted(found))


def score_group(sheet: AnswerSheet, group: Group, rows: Scores) -> GroupScores | None:
    """Score rows of answers where all of them are there; None where they never are.

    Over all items a score is the unweighted mean over categories, as in the score table; in a group
    it is the plain share. A model without any item of some category has no score that compares, and
    is left out.

    Args:
        rows: share of right answers, NaN where there is none, shape (R, models, items).
    """
    rows = rows[:, :, group.items]
    rows = np.where(np.isfinite(rows).all(axis=0), rows, np.nan)
    asked = np.isfinite(rows[0])
    models, used = np.flatnonzero(asked.any(axis=1)), asked.any(axis=0)
    if not used.any():
        return None
    kinds = category_codes(sheet, group, used)
    videos = np.unique(sheet.videos[group.items][used], return_inverse=True)[1]
    rows = rows[:, models][:, :, used]
    flat = rows.reshape(-1, rows.shape[-1])
    items = collect(flat, videos, kinds, shape=(rows.shape[0], rows.shape[1]), unit=100.0)
    values, moved = scores_under(items, np.ones((1, items.n_clusters)))[0], influence(items)
    whole = np.isfinite(values).all(axis=0)
    if not whole.any():
        return None
    return GroupScores(values[:, whole], moved[:, whole], models[whole], int(used.sum()))


def guessing(sheet: AnswerSheet, group: Group, asked: NDArray[np.bool_]) -> float | None:
    """Score of a guesser on the items asked, weighted as accuracy is; None where not known."""
    guess = sheet.guess[group.items][asked]
    if not guess.size or np.isnan(guess).any():
        return None
    kinds = category_codes(sheet, group, asked)
    return 100.0 * float((np.bincount(kinds, weights=guess) / np.bincount(kinds)).mean())


def category_codes(sheet: AnswerSheet, group: Group, used: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Code the categories over which a group's score is averaged: one, but for all items."""
    kinds = np.unique(sheet.groups["category"][group.items][used], return_inverse=True)[1]
    return kinds if group.column == ALL else np.zeros_like(kinds)
