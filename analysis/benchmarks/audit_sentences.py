"""What an audit found, in sentences: for the top of the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from analysis.benchmarks.audit import Audit
from analysis.benchmarks.copied_regimes import RegimePair
from analysis.benchmarks.group_scores import ALL
from analysis.benchmarks.letter_balance import ANSWERS, LetterCount
from analysis.benchmarks.redundancy import REDUNDANT, Correlation, Matrix
from analysis.benchmarks.regime_gaps import CHANCE, Accuracy, Gap
from analysis.benchmarks.solvable_items import SolvableItems
from analysis.benchmarks.text_share import TextShare
from analysis.findings.sentences import number, percent
from analysis.statistics.intervals import Interval

REGIME_WORDS = {
    "video": "video",
    "center_frame": "one frame",
    "text": "text alone",
    "shuffled": "shuffled frames",
    CHANCE: "guessing",
}
# Longer lists are in the tables.
MOST_NAMED = 4


def describe_benchmark(found: Audit, benchmark: str) -> list[str]:
    """Say what a benchmark's videos are worth: accuracies, paired differences, what text gives."""
    own = [a for a in found.accuracies if (a.benchmark, a.column) == (benchmark, ALL)]
    gaps = [g for g in found.gaps if (g.benchmark, g.column) == (benchmark, ALL)]
    shares = [s for s in found.text_shares if s.benchmark == benchmark]
    lines = [_levels(own)] if own else []
    return [*lines, *(describe_gap(gap) for gap in gaps), *(_share_line(s) for s in shares)]


def describe_gap(gap: Gap) -> str:
    """Say one difference with its interval: sure, surely small, or undecided."""
    first, second = REGIME_WORDS[gap.first], REGIME_WORDS[gap.second]
    size = f"{signed_points(gap.gap.value)} points ({points(gap.gap.ci)})"
    match gap.verdict:
        case "higher" if gap.second == CHANCE:
            return f"The question without the video is worth {size} over guessing."
        case "higher":
            return f"{_start(first)} is better than {second}: {size}."
        case "lower":
            return f"{_start(first)} is worse than {second}: {size}."
        case "identical":
            return f"{_start(first)} and {second}: every model is right on the same items."
        case "undecided" | "not testable":
            ci = gap.gap.ci
            alone = ci is not None and not ci[0] <= 0 <= ci[1]
            many = ", not sure among as many comparisons (Holm)" if alone else ""
            return f"Whether {first} differs from {second} is undecided: {size}{many}."
        case _:
            return f"{_start(first)} and {second} are {gap.verdict}: {size}."


def describe_matrix(matrix: Matrix) -> list[str]:
    """Name redundant pairs, then count what is distinct and what nobody can tell."""
    pairs = [pair for pair in matrix.pairs if pair.r2 is not None]
    same = sorted(_of(pairs, "redundant"), key=lambda pair: -(pair.r2 or 0))
    lines = [
        f"{pair.first} and {pair.second} order models alike: R² {number(pair.r2, 2)}"
        f" ({_interval(pair.r2_ci)}, n = {pair.n} models); one tells what the other would."
        for pair in same[:MOST_NAMED]
    ]
    if len(same) > MOST_NAMED:
        lines.append(f"So do {len(same) - MOST_NAMED} more pairs.")
    lines += _rest(matrix, pairs)
    return lines


def describe_copies(pairs: Sequence[RegimePair]) -> list[str]:
    """Name each benchmark and pair of regimes whose answers are copies, and of which models."""
    lines: list[str] = []
    flagged = sorted((p for p in pairs if p.flag), key=_place)
    for (benchmark, first, second), group in groupby(flagged, key=_place):
        own = list(group)
        least = min(own, key=lambda pair: pair.agreement)
        names = _named([pair.replicate for pair in own])
        words = f"{REGIME_WORDS.get(first, first)} and {REGIME_WORDS.get(second, second)}"
        same = (
            f"all {least.items} answers are the same"
            if least.differing == 0
            else f"{least.items - least.differing} of {least.items} answers or more are the same"
        )
        lines.append(
            f"{benchmark}: {words} are copies of one another for {names}: {same}, where habit"
            f" explains {percent(least.expected)}. Was the video shown?"
        )
    return lines


def describe_letters(counts: Sequence[LetterCount]) -> list[str]:
    """Name uneven keys, then how many models' choices are uneven and the worst of them."""
    lines = [
        f"{key.benchmark}: the key favours {key.favourite}, right in {percent(key.share)} of"
        f" {key.items} items where {percent(key.share_expected)} would be even"
        f" (p = {p_value(key.p_holm)}); an unwilling model gains by always answering"
        f" {key.favourite}."
        for key in counts
        if key.flag and key.of == ANSWERS
    ]
    uneven = [c for c in counts if c.flag and c.of != ANSWERS]
    if uneven:
        worst = max(uneven, key=lambda c: c.share - c.share_expected)
        asked = sum(c.of != ANSWERS for c in counts)
        word = REGIME_WORDS.get(worst.regime, worst.regime)
        lines.append(
            f"{len(uneven)} of {asked} sets of choices (a model, a benchmark, a regime) favour a"
            f" letter; most of all {worst.of} on {worst.benchmark} with {word}, which says"
            f" {worst.favourite} in {percent(worst.share)} of items"
            f" ({percent(worst.share_expected)} would be even)."
        )
    return lines


def describe_solvable(found: Sequence[SolvableItems]) -> list[str]:
    """Count, of each benchmark, the items that models solve without video."""
    lines: list[str] = []
    for benchmark, group in groupby(found, key=lambda each: each.benchmark):
        own = [each for each in group if each.flagged]
        counts = [
            f"{each.flagged} of {len(each.items)} items with {REGIME_WORDS[each.regime]}"
            for each in own
        ]
        if own:
            lines.append(
                f"{benchmark}: surely solved without the video are {', '.join(counts)}"
                f" ({own[0].models} models)."
            )
    return lines


def flag_lines(found: Audit) -> list[str]:
    """All flags, gravest first."""
    return [
        *describe_copies(found.copies),
        *describe_solvable(found.solvable),
        *describe_letters(found.letters),
    ]


def summary_lines(found: Audit) -> list[str]:
    """Sum an audit up for a terminal: benchmarks, redundancy, flags, notes."""
    lines: list[str] = []
    for benchmark in found.benchmarks:
        lines += [f"{benchmark}:", *(f"  {line}" for line in describe_benchmark(found, benchmark))]
    whole = [line for m in found.matrices if m.column == ALL for line in describe_matrix(m)]
    flags = flag_lines(found)
    lines += ["Redundancy:", *(f"  {line}" for line in whole)] if whole else []
    lines += ["Flags:", *(f"  {line}" for line in flags)] if flags else ["Flags: none."]
    return [*lines, *(f"Note: {warning}." for warning in found.warnings)]


def points(ci: Interval | None) -> str:
    """Write an interval of points with one decimal."""
    if ci is None:
        return "no interval"
    return f"95 % interval {number(ci[0], 1)} to {number(ci[1], 1)}"


def signed_points(value: float) -> str:
    """Write a difference with its sign and one decimal."""
    text = number(value, 1)
    return f"+{text}" if value > 0 and text != "0.0" else text


def p_value(p: float | None) -> str:
    """Write a p value as far as anyone believes it."""
    return "–" if p is None else "below .001" if p < 0.001 else number(p, 3)


def _levels(own: Sequence[Accuracy]) -> str:
    parts = [
        f"{number(a.accuracy.value, 1)} % with {REGIME_WORDS.get(a.regime, a.regime)}" for a in own
    ]
    chance = next((a.chance for a in own if a.chance is not None), None)
    if chance is not None:
        parts.append(f"{number(chance, 1)} % by guessing")
    mean = own[0].accuracy
    who = f"mean of {mean.models} models" if mean.models > 1 else "one model"
    return f"Accuracy {', '.join(parts)} ({who}, {mean.items} items of {mean.videos} videos)."


def _share_line(share: TextShare) -> str:
    between = (
        "no interval: the video score may itself be guessing"
        if share.ci is None
        else f"95 % interval {percent(share.ci[0])} to {percent(share.ci[1])}"
    )
    word = _start(REGIME_WORDS[share.regime])
    return f"{word} gives {percent(share.share)} of what video scores above guessing ({between})."


def _rest(matrix: Matrix, pairs: Sequence[Correlation]) -> list[str]:
    parts: list[str] = []
    distinct, open_ = _of(pairs, "distinct"), _of(pairs, "undecided")
    if distinct:
        parts.append(f"{len(distinct)} are surely distinct (R² below {REDUNDANT:g})")
    if open_:
        most = max(open_, key=lambda pair: pair.r2 or 0.0)
        parts.append(
            f"{len(open_)} undecided, most alike {most.first} and {most.second} with R²"
            f" {number(most.r2, 2)} ({_interval(most.r2_ci)})"
        )
    none = len(matrix.pairs) - len(pairs)
    if none:
        parts.append(f"{none} have too few models, or scores that are all alike")
    if not parts:
        return []
    few = next((pair.warning for pair in pairs if pair.warning), None)
    why = f" ({few})" if few else ""
    many = f"{len(matrix.pairs)} pairs: " if len(matrix.pairs) > 1 else "The one pair: "
    return [f"{many}{'; '.join(parts)}{why}."]


def _of(pairs: Iterable[Correlation], verdict: str) -> list[Correlation]:
    return [pair for pair in pairs if pair.verdict == verdict]


def _interval(ci: Interval | None) -> str:
    return "no interval" if ci is None else f"{number(ci[0], 2)} to {number(ci[1], 2)}"


def _place(pair: RegimePair) -> tuple[str, str, str]:
    return (pair.benchmark, pair.first, pair.second)


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def _start(word: str) -> str:
    return word[0].upper() + word[1:]
