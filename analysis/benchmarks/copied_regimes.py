r"""Are the answers of two regimes copies? A video that is never shown leaves the same answers.

Cohen's kappa, $(p_o - p_e)/(1 - p_e)$, is agreement beyond what a model's habits explain: $p_e$ is
how often two columns with the same shares of letters would agree by chance. A model is flagged
where kappa is at least .95, and surely above .9: an exact binomial test of the disagreements
against $p_o = p_e + .9 (1 - p_e)$, Holm over all models, benchmarks and pairs of regimes. So in all
the tests of an audit, a flag where every kappa is at most .9 comes with a chance of at most 5 %
(items taken for independent). A model that answers every question alike has $p_e$ near 1 and cannot
be flagged.

Source: Cohen (1960).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.statistics.effects import holm

# Agreement beyond habit that two views of one model have where one is not looked at; and what it
# has to be surely above, since 95 % itself could be shown of thousands of items only.
COPY, SURELY = 0.95, 0.9


@dataclass(frozen=True)
class RegimePair:
    """Agreement of one replicate's answers in two regimes.

    `compared` is `choices`, or `correctness` where the table has no choices. `kappa` is None where
    a model answers everything alike. `p` is one-sided; `flag` says p_holm is at most .05
    and kappa at least .95.
    """

    benchmark: str
    replicate: str
    first: str
    second: str
    compared: str
    items: int
    differing: int
    agreement: float
    expected: float
    kappa: float | None
    p: float
    p_holm: float | None = None
    flag: bool = False


def regime_pairs(sheets: Sequence[AnswerSheet]) -> list[RegimePair]:
    """Compare every two regimes of every replicate, and adjust over all of them."""
    found = [pair for sheet in sheets for pair in _pairs(sheet)]
    return [
        replace(pair, p_holm=p, flag=p is not None and p <= 0.05 and (pair.kappa or 0.0) >= COPY)
        for pair, p in zip(found, holm([pair.p for pair in found]), strict=True)
    ]


def _pairs(sheet: AnswerSheet) -> Iterator[RegimePair]:
    for first, second in combinations(sheet.right, 2):
        chosen = first in sheet.choices and second in sheet.choices
        a, b = (
            (sheet.choices[regime] if chosen else sheet.right[regime].astype(str))
            for regime in (first, second)
        )
        both = np.isfinite(sheet.right[first]) & np.isfinite(sheet.right[second])
        for row, replicate in enumerate(sheet.replicates):
            of = both[row] & (((a[row] != "") & (b[row] != "")) if chosen else True)
            if of.any():
                what = "choices" if chosen else "correctness"
                yield _compare(
                    sheet.benchmark, replicate, (first, second), what, a[row][of], b[row][of]
                )


def _compare(
    benchmark: str,
    replicate: str,
    regimes: tuple[str, str],
    compared: str,
    a: NDArray[np.str_],
    b: NDArray[np.str_],
) -> RegimePair:
    n, differing = a.size, int((a != b).sum())
    expected = float(sum((a == value).mean() * (b == value).mean() for value in np.unique(a)))
    agreement = 1.0 - differing / n
    allowed = (1.0 - SURELY) * (1.0 - expected)
    kappa = (agreement - expected) / (1.0 - expected) if expected < 1.0 else None
    return RegimePair(
        benchmark=benchmark,
        replicate=replicate,
        first=regimes[0],
        second=regimes[1],
        compared=compared,
        items=n,
        differing=differing,
        agreement=agreement,
        expected=expected,
        kappa=kappa,
        p=float(stats.binom.cdf(differing, n, allowed)),
    )
