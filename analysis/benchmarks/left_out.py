"""Which models have no score that compares, or one of fewer answers than the others have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.benchmarks.group_scores import ALL, Group, category_codes

# More names than this are counted.
MOST_NAMED = 4


def left_out_lines(sheet: AnswerSheet) -> list[str]:
    """Name the models that are left out of the scores over all items, and those of fewer answers.

    Left out are those without any item of some category. What several regimes share is one line.
    """
    found: dict[str, list[str]] = {}
    for regime in sheet.right:
        for line in _lines(sheet, regime):
            found.setdefault(line, []).append(regime)
    everywhere = len(sheet.right)
    return [
        f"{sheet.benchmark}{'' if len(regimes) == everywhere else f', {_listed(regimes)}'}: {line}"
        for line, regimes in found.items()
    ]


def _lines(sheet: AnswerSheet, regime: str) -> Iterator[str]:
    asked = np.isfinite(sheet.by_model(regime))
    used = np.asarray(asked.any(axis=0))
    whole = Group(ALL, ALL, np.ones(len(sheet.items), dtype=bool))
    kinds = category_codes(sheet, whole, used)
    names = np.unique(sheet.groups["category"][used])
    asked = asked[:, used]
    left_out: list[str] = []
    partly: list[str] = []
    silent: list[str] = []
    # Who answered nothing of the whole benchmark is told where the tables are read.
    here = np.any([np.isfinite(sheet.by_model(each)).any(axis=1) for each in sheet.right], axis=0)
    for place, (model, own) in enumerate(zip(sheet.models, asked, strict=True)):
        if not own.any():
            silent += [model] if here[place] else []
            continue
        absent = names[np.bincount(kinds, weights=own, minlength=len(names)) == 0].tolist()
        if absent:
            left_out.append(f"{model} (no {_named(absent)})")
        elif not own.all():
            partly.append(f"{model} ({own.sum()} of {own.size})")
    if silent:
        yield f"no answers of {_named(silent)}, which have them in others"
    if left_out:
        yield (
            f"left out of the scores over all items are {_named(left_out)}; such a score is the"
            " mean over categories, so it needs items of each"
        )
    if partly:
        yield (
            f"only some items were answered by {_named(partly)}; their scores are of those, and"
            " count like the others"
        )


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _listed(regimes: Sequence[str]) -> str:
    return f"regime{'s' * (len(regimes) > 1)} {', '.join(regimes)}"
