"""Which items of a benchmark are solved without their video, by models like these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.benchmarks.solvability import solvability

# Regimes that withhold the video, or all but one frame of it.
WITHOUT_VIDEO = ("text", "center_frame")


@dataclass(frozen=True)
class SolvableItem:
    """One item: how many of the models asked were right, and what that says of it.

    `solvability` is 0 at guessing and 1 at certainty, with its 95 % interval; `probability` is that
    of it being above one half; `flag` says that this is at least .95.
    """

    item: str
    category: str
    right: float
    models: int
    guess: float
    solvability: float
    ci: tuple[float, float]
    probability: float
    flag: bool


@dataclass(frozen=True)
class SolvableItems:
    """The items of one benchmark in one regime; those that no model was asked are left out."""

    benchmark: str
    regime: str
    models: int
    flagged: int
    items: tuple[SolvableItem, ...]


def solvable_items(sheets: Sequence[AnswerSheet]) -> list[SolvableItems]:
    """Judge every item in each regime without video; nothing where guess rates are not known."""
    return [
        _judge(sheet, regime)
        for sheet in sheets
        for regime in WITHOUT_VIDEO
        if regime in sheet.right and np.isfinite(sheet.guess).any()
    ]


def _judge(sheet: AnswerSheet, regime: str) -> SolvableItems:
    right = sheet.by_model(regime).T
    asked = np.isfinite(right).sum(axis=1)
    found = solvability(right, np.where(asked > 0, sheet.guess, np.nan))
    flags = found.solvable
    places = np.flatnonzero((asked > 0) & np.isfinite(sheet.guess))
    items = tuple(
        SolvableItem(
            item=sheet.items[i],
            category=str(sheet.groups["category"][i]),
            right=float(np.nansum(right[i])),
            models=int(asked[i]),
            guess=float(sheet.guess[i]),
            solvability=float(found.mean[i]),
            ci=(float(found.low[i]), float(found.high[i])),
            probability=float(found.probability[i]),
            flag=bool(flags[i]),
        )
        for i in places
    )
    models = int(np.isfinite(right).any(axis=0).sum())
    return SolvableItems(sheet.benchmark, regime, models, sum(i.flag for i in items), items)
