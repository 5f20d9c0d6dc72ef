r"""Is every letter as often right, and as often chosen, as the others?

A key that favours a letter rewards a habit; a model that favours one is not answering. Pearson's
chi-square against uniform letters, items being the units, summed over items with the same number
of options: $\sum_k \sum_{l \le k} (O_{kl} - n_k/k)^2 / (n_k/k)$ with $\sum_k (k - 1)$ degrees of
freedom. Where an expected count is below 5 the p value is simulated. Of a model it also says how
far from uniform the key itself is: one that answers well follows its key.

Source: Pearson (1900); small counts: Hope (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.benchmarks.answer_sheets import AnswerSheet
from analysis.statistics.effects import holm

ANSWERS = "answers"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PLACES = {letter: place for place, letter in enumerate(LETTERS)}
SIMULATED = 4999
SMALLEST_EXPECTED = 5.0


@dataclass(frozen=True)
class LetterCount:
    """Letters of a key (`of` = `answers`), or of one replicate's choices in a regime.

    `counts` are per letter, `expected` what uniform letters would give. `favourite` is the letter
    furthest above, with its share and the share expected, per item that has that letter.
    `outside` counts letters that are none of the item's options, `unread` answers without a letter;
    neither is in the test. `p_holm` is adjusted over all keys, or over all choices.
    """

    benchmark: str
    of: str
    regime: str
    items: int
    counts: dict[str, int]
    expected: dict[str, float]
    favourite: str
    share: float
    share_expected: float
    outside: int
    unread: int
    chi2: float
    freedom: int
    simulated: bool
    p: float
    p_holm: float | None = None
    flag: bool = False


def letter_counts(sheets: Sequence[AnswerSheet], rng: np.random.Generator) -> list[LetterCount]:
    """Test every key and every replicate's choices; keys and choices are adjusted apart."""
    keys = [key for sheet in sheets if (key := _key(sheet, rng)) is not None]
    choices = [count for sheet in sheets for count in _choices(sheet, rng)]
    return [*_adjusted(keys), *_adjusted(choices)]


def _adjusted(found: list[LetterCount]) -> list[LetterCount]:
    return [
        replace(count, p_holm=p, flag=p is not None and p <= 0.05)
        for count, p in zip(found, holm([count.p for count in found]), strict=True)
    ]


def _key(sheet: AnswerSheet, rng: np.random.Generator) -> LetterCount | None:
    return _count(sheet.answers, sheet.options, (sheet.benchmark, ANSWERS, ""), rng)


def _choices(sheet: AnswerSheet, rng: np.random.Generator) -> Iterator[LetterCount]:
    for regime, chosen in sheet.choices.items():
        asked = np.isfinite(sheet.right[regime])
        for row, replicate in enumerate(sheet.replicates):
            of = asked[row]
            name = (sheet.benchmark, replicate, regime)
            count = _count(chosen[row][of], sheet.options[of], name, rng)
            if count is not None:
                yield count


def _count(
    letters: NDArray[np.str_],
    options: NDArray[np.intp],
    name: tuple[str, str, str],
    rng: np.random.Generator,
) -> LetterCount | None:
    """Count letters of items whose number of options is known; None where there is none."""
    of = (options > 0) & (options <= len(LETTERS))
    letters, options = letters[of], options[of]
    unread = letters == ""
    places = np.array([_PLACES.get(letter, -1) for letter in letters.tolist()])
    outside = ~unread & ((places < 0) | (places >= options))
    kept = ~unread & ~outside
    if not kept.any():
        return None
    places, options = places[kept], options[kept]
    strata = [(k, np.bincount(places[options == k], minlength=k)) for k in np.unique(options)]
    chi2, freedom = _chi2(strata), int(sum(k - 1 for k, _ in strata))
    few = any(count.sum() / k < SMALLEST_EXPECTED for k, count in strata)
    p = _simulated(strata, chi2, rng) if few else float(stats.chi2.sf(chi2, freedom))
    width = int(options.max())
    counts = np.bincount(places, minlength=width)
    expected = np.zeros(width)
    for k, count in strata:
        expected[:k] += count.sum() / k
    offered = np.array([(options > letter).sum() for letter in range(width)])
    best = int(np.argmax((counts - expected) / np.sqrt(expected)))
    return LetterCount(
        benchmark=name[0],
        of=name[1],
        regime=name[2],
        items=int(kept.sum()),
        counts={LETTERS[i]: int(counts[i]) for i in range(width)},
        expected={LETTERS[i]: float(expected[i]) for i in range(width)},
        favourite=LETTERS[best],
        share=float(counts[best] / offered[best]),
        share_expected=float(expected[best] / offered[best]),
        outside=int(outside.sum()),
        unread=int(unread.sum()),
        chi2=chi2,
        freedom=freedom,
        simulated=few,
        p=p,
    )


def _chi2(strata: Sequence[tuple[int, NDArray[np.intp]]]) -> float:
    return float(sum(((c - c.sum() / k) ** 2).sum() / (c.sum() / k) for k, c in strata))


def _simulated(
    strata: Sequence[tuple[int, NDArray[np.intp]]], chi2: float, rng: np.random.Generator
) -> float:
    """Share of uniform keys that are at least as uneven, the one at hand counted among them."""
    drawn = np.zeros(SIMULATED)
    for k, count in strata:
        n = int(count.sum())
        counts = rng.multinomial(n, np.full(k, 1.0 / k), size=SIMULATED)
        drawn += ((counts - n / k) ** 2).sum(axis=1) / (n / k)
    return float((1 + (drawn >= chi2 - 1e-9).sum()) / (1 + SIMULATED))
