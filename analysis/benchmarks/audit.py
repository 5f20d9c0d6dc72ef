"""All that an audit says of benchmarks, from the answers that models gave to their items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.benchmarks.answer_sheets import AnswerSheet, AnswerSheets
from analysis.benchmarks.copied_regimes import RegimePair, regime_pairs
from analysis.benchmarks.group_scores import ALL
from analysis.benchmarks.left_out import left_out_lines
from analysis.benchmarks.letter_balance import LetterCount, letter_counts
from analysis.benchmarks.redundancy import FEW_MODELS, Matrix, matrices
from analysis.benchmarks.regime_gaps import COMPARISONS, Accuracy, Gap, accuracies, adjusted, gaps
from analysis.benchmarks.solvable_items import SolvableItems, solvable_items
from analysis.benchmarks.text_share import TextShare, text_shares
from analysis.errors import TableError

REGIMES = ("video", "center_frame", "text", "shuffled")


@dataclass(frozen=True)
class Audit:
    """What was found; `warnings` says what the answers could not tell.

    `benchmarks` and `models` are in the order of the table.
    """

    benchmarks: tuple[str, ...]
    models: tuple[str, ...]
    accuracies: tuple[Accuracy, ...]
    gaps: tuple[Gap, ...]
    text_shares: tuple[TextShare, ...]
    matrices: tuple[Matrix, ...]
    copies: tuple[RegimePair, ...]
    letters: tuple[LetterCount, ...]
    solvable: tuple[SolvableItems, ...]
    warnings: tuple[str, ...]


def audit(read: AnswerSheets, rng: np.random.Generator) -> Audit:
    """Audit every benchmark; `rng` is for p values of small letter counts.

    Raises:
        TableError: no model has answers to items of every category of any benchmark.
    """
    levels = tuple(a for sheet in read.sheets for a in accuracies(sheet))
    _require_any(read, levels)
    found = adjusted([gap for sheet in read.sheets for gap in gaps(sheet)])
    warnings = [*read.warnings, *_too_little(read)]
    return Audit(
        benchmarks=tuple(sheet.benchmark for sheet in read.sheets),
        models=read.models,
        accuracies=levels,
        gaps=tuple(found),
        text_shares=tuple(share for sheet in read.sheets for share in text_shares(sheet)),
        matrices=tuple(matrices(read.sheets)),
        copies=tuple(regime_pairs(read.sheets)),
        letters=tuple(letter_counts(read.sheets, rng)),
        solvable=tuple(solvable_items(read.sheets)),
        warnings=tuple(warnings),
    )


def _require_any(read: AnswerSheets, levels: Sequence[Accuracy]) -> None:
    """Raise `TableError` where no model has a score over all items of any benchmark."""
    if any(each.column == ALL for each in levels):
        return
    told = "\n".join(line for sheet in read.sheets for line in left_out_lines(sheet))
    raise TableError(
        f"nothing can be compared: no model has items of every category of a benchmark.\n{told}\n"
        "Are these answers to the same questions, under one name of the benchmark?"
    )


def _too_little(read: AnswerSheets) -> list[str]:
    told = [line for sheet in read.sheets for line in _missing_regimes(sheet)]
    told += [line for sheet in read.sheets for line in left_out_lines(sheet)]
    if len(read.models) == 1:
        told.append("one model: nothing is said of other models, or of redundancy")
    elif len(read.models) < FEW_MODELS:
        told.append(
            f"{len(read.models)} models, fewer than {FEW_MODELS}: what is said of redundancy, and"
            " of other models, is loose"
        )
    return told


def _missing_regimes(sheet: AnswerSheet) -> list[str]:
    told: list[str] = []
    absent = [regime for regime in REGIMES[:3] if regime not in sheet.right]
    if absent:
        told.append(f"{sheet.benchmark}: no answers in the regime {' or '.join(absent)}")
    unknown = [regime for regime in sheet.right if regime not in REGIMES]
    if unknown:
        told.append(
            f"{sheet.benchmark}: the regime {', '.join(unknown)} is compared with no other (known:"
            f" {', '.join(REGIMES)})"
        )
    for first, second in COMPARISONS:
        if first in sheet.right and second in sheet.right:
            both = np.isfinite(sheet.by_model(first)) & np.isfinite(sheet.by_model(second))
            if not both.any():
                told.append(
                    f"{sheet.benchmark}: no model has answered one item in both {first} and"
                    f" {second}; are 'item' and 'video' written alike in both?"
                )
    return told
