r"""One of four fixed words for a pair of scales or an axis, with the numbers it rests on.

**A pair of scales.** With r the correlation of the two scales, in this order:

1. *undecidable*: no interval (fewer than 4 designs, a constant column), or a metric at chance;
2. *reverses*: the intervals of r lie below 0, and, where noise is known, at least one pair of
   designs is ordered wrongly beyond noise;
3. *undecidable*: the lower end of R² (Fisher's) does not reach `SHARE`, or r's interval to believe,
   which redraws blocks and configurations where there are any, does not lie above 0;
4. *transfers only in aggregate*: for some block column the lower end of R² within blocks does not
   reach `SHARE`, or R² falls below it without a single level (within blocks, where there are any)
   or a single design: what transfers then is blocks, or one good or bad choice, not the rest;
5. *transfers only in aggregate*: noise is known at a scale and may explain most differences there
   (fewer than `DECIDABLE` of the pairs of designs differ beyond it): the order as a whole is shown
   to come back, but not which of two designs is the better one;
6. *transfers*: none of that.

Noise that no seeds and no items tell of cannot weigh; the sentence then says that it is not known.
Nor can noise of fewer than `FEWEST_FREEDOM` degrees of freedom: with 1, a single difference is
decided only at 13 standard errors, and one of a hundred at thousands, so that one repeated seed
would overturn any verdict whatever the designs do.

**An axis at a pair of scales**, by the pairs of designs that differ in it alone, with A their
decision accuracy and its interval for as many draws as there are designs
(`axis_verdicts.axis_interval`):

1. *undecidable*: no such pairs, or a metric at chance;
2. *reverses*: the interval of A lies below one half and, where noise is known at both scales, at
   least one of these pairs is ordered wrongly beyond noise; *undecidable* otherwise;
3. *transfers*: A reaches `ACCURACY`, also without any single level, and its interval lies above
   one half; *transfers only in aggregate* instead where noise is known at a scale and may explain
   most differences there (fewer than `DECIDABLE` of these pairs differ beyond it);
4. *undecidable*: noise may explain most differences, as in 3;
5. *transfers only in aggregate*: A would pass 3 but for one level that carries it;
6. *transfers only in aggregate*: the pair of scales passes its own rule up to 3, but this axis is
   not shown to;
7. *undecidable*: anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["transfers", "transfers only in aggregate", "undecidable", "reverses"]
VERDICTS: tuple[Verdict, ...] = (
    "transfers",
    "transfers only in aggregate",
    "undecidable",
    "reverses",
)
Interval = tuple[float, float]

# The lower end of the R² interval must reach one half: the small scale then surely explains more of
# the differences between designs than it leaves open. Our choice; the paper draws no line.
SHARE = 0.5
# The decision accuracy of a bivariate normal with that R²: 1/2 + asin(sqrt(1/2)) / pi.
ACCURACY = 0.75
# Most differences: one half. After Benjamini and Yekutieli's correction that takes a reliability of
# about 0.95 among twenty designs; our choice, on the side of claiming less.
DECIDABLE = 0.5
# At 10 a t test asks for 2.2 standard errors, with endless replicates for 2.0; the first of a
# hundred tests for 6.3 instead of 3.9. Our choice.
FEWEST_FREEDOM = 10.0

RULE = (
    f"Two scales. Transfers: the lower end of Fisher's 95 % interval of R² reaches {SHARE}, the"
    " interval of r to believe, which redraws designs (or blocks), stays above 0, both hold within"
    " every kind of block and without any single level or design, and half of the pairs of designs"
    f" or more differ beyond noise, where it is known by {FEWEST_FREEDOM:.0f} degrees of freedom or"
    " more. Transfers only in aggregate: overall, but not within blocks,"
    " or not without one level or design, or noise may explain most differences. Reverses: the"
    " interval of r lies below 0, beyond noise. Undecidable: anything else, fewer than 4"
    " designs, or a metric at its chance level. An axis. Transfers: of the pairs of designs that"
    f" differ in it alone, {ACCURACY:.0%} or more are ordered alike, also without any single"
    " level, surely more than half, and half of them or more differ beyond noise, where noise is"
    " known so well; of these very levels: others may do otherwise. Reverses: surely less than"
    " half, beyond noise. Transfers only in aggregate: ordered"
    " alike, but one level carries it or noise may explain most differences; or the scales agree"
    " overall and this axis is not shown to. Undecidable: the rest."
)

PairReason = Literal[
    "no interval",
    "metric at chance",
    "r is surely negative",
    "r looks negative but noise explains every wrong pair",
    "R² is not surely one half",
    "r may be negative when resampled",
    "not within blocks",
    "one level carries it",
    "one design carries it",
    "noise may explain most differences",
    "it holds throughout",
]
AxisReason = Literal[
    "no pair of designs differs in this axis alone",
    "metric at chance",
    "surely ordered the other way",
    "ordered the other way, but noise explains every wrong pair",
    "surely ordered alike",
    "noise may explain most differences",
    "one level carries it",
    "the scales agree, this axis is not shown to",
    "too few pairs, or too little agreement, to tell",
]


@dataclass(frozen=True)
class PairEvidence:
    """The numbers that a pair's verdict rests on; None: not known.

    `r_ci` is Fisher's, `r_ci_believed` the resampled interval to believe. `within` holds Fisher's
    interval of r per block column with designs to compare. `weakest_level` and `weakest_design` are
    the smallest R² without one level (within blocks where there are any) or one design, with the
    name of what is left out. `wrong_beyond_noise` counts real reversals. `signal` is false for a
    metric at chance. `decidable` is the smaller scale's and the larger scale's share of pairs.
    """

    r_ci: Interval | None
    r_ci_believed: Interval | None
    within: Mapping[str, Interval | None]
    weakest_level: tuple[str, float] | None
    weakest_design: tuple[str, float] | None
    wrong_beyond_noise: int | None
    decidable: tuple[float | None, float | None]
    signal: bool


@dataclass(frozen=True)
class PairJudgement:
    """A verdict, the clause of the rule that decided it, and its numbers."""

    verdict: Verdict
    because: PairReason
    evidence: PairEvidence


@dataclass(frozen=True)
class AxisEvidence:
    """The numbers that an axis' verdict rests on; None: not known.

    `pairs` of designs differ in the axis alone, over `designs` designs; `accuracy` is their
    decision accuracy, `accuracy_ci` its interval, `decidable` the share of them that differ beyond
    noise at the small and at the large scale, `wrong_beyond_noise` how many of them do so at both
    and are ordered oppositely. `weakest_level` is the smallest accuracy without one level, with its
    name. `aggregate`: whether the pair of scales agrees.
    """

    pairs: int
    designs: int
    accuracy: float | None
    accuracy_ci: Interval | None
    decidable: tuple[float | None, float | None]
    wrong_beyond_noise: int | None
    weakest_level: tuple[str, float] | None
    aggregate: bool
    signal: bool


@dataclass(frozen=True)
class AxisJudgement:
    """A verdict, the clause of the rule that decided it, and its numbers."""

    verdict: Verdict
    because: AxisReason
    evidence: AxisEvidence


def judge_pair(found: PairEvidence) -> PairJudgement:
    """Apply the rule for a pair of scales (this module's head)."""
    verdict, because = _pair_clause(found)
    return PairJudgement(verdict, because, found)


def judge_axis(found: AxisEvidence) -> AxisJudgement:
    """Apply the rule for an axis at a pair of scales (this module's head)."""
    verdict, because = _axis_clause(found)
    return AxisJudgement(verdict, because, found)


def agrees_in_aggregate(found: PairEvidence) -> bool:
    """Whether two scales agree overall, within blocks or not: clauses 1 to 3 are passed."""
    verdict, _ = _pair_clause(found)
    return verdict in ("transfers", "transfers only in aggregate")


def _pair_clause(found: PairEvidence) -> tuple[Verdict, PairReason]:
    if found.r_ci is None:
        return "undecidable", "no interval"
    if not found.signal:
        return "undecidable", "metric at chance"
    believed = found.r_ci_believed or found.r_ci
    if found.r_ci[1] < 0 and believed[1] < 0:
        if found.wrong_beyond_noise == 0:
            return "undecidable", "r looks negative but noise explains every wrong pair"
        return "reverses", "r is surely negative"
    if not _explains_enough(found.r_ci):
        return "undecidable", "R² is not surely one half"
    if believed[0] <= 0:
        return "undecidable", "r may be negative when resampled"
    return _inside_clause(found)


def _inside_clause(found: PairEvidence) -> tuple[Verdict, PairReason]:
    if not all(_explains_enough(interval) for interval in found.within.values()):
        return "transfers only in aggregate", "not within blocks"
    if found.weakest_level is not None and found.weakest_level[1] < SHARE:
        return "transfers only in aggregate", "one level carries it"
    if found.weakest_design is not None and found.weakest_design[1] < SHARE:
        return "transfers only in aggregate", "one design carries it"
    if _noise_explains_most(found.decidable):
        return "transfers only in aggregate", "noise may explain most differences"
    return "transfers", "it holds throughout"


def _axis_clause(found: AxisEvidence) -> tuple[Verdict, AxisReason]:
    if found.accuracy is None or found.accuracy_ci is None:
        return "undecidable", "no pair of designs differs in this axis alone"
    if not found.signal:
        return "undecidable", "metric at chance"
    if found.accuracy_ci[1] < 0.5:
        if found.wrong_beyond_noise == 0:
            return "undecidable", "ordered the other way, but noise explains every wrong pair"
        return "reverses", "surely ordered the other way"
    alike = found.accuracy >= ACCURACY and found.accuracy_ci[0] > 0.5
    carried = found.weakest_level is not None and found.weakest_level[1] < ACCURACY
    drowned = _noise_explains_most(found.decidable)
    if alike and not carried and not drowned:
        return "transfers", "surely ordered alike"
    if drowned:
        whole = alike and not carried
        word: Verdict = "transfers only in aggregate" if whole else "undecidable"
        return word, "noise may explain most differences"
    if alike:
        return "transfers only in aggregate", "one level carries it"
    if found.aggregate:
        return "transfers only in aggregate", "the scales agree, this axis is not shown to"
    return "undecidable", "too few pairs, or too little agreement, to tell"


def weighing(share: float | None, freedom: float | None) -> float | None:
    """A share of decidable pairs, where its noise is known well enough to weigh in a verdict.

    Args:
        share: of the pairs; None where no noise is known.
        freedom: degrees of freedom of the noise; None where it is known exactly.
    """
    return share if freedom is None or freedom >= FEWEST_FREEDOM else None


def _noise_explains_most(decidable: tuple[float | None, float | None]) -> bool:
    return any(share is not None and share < DECIDABLE for share in decidable)


def _explains_enough(interval: Interval | None) -> bool:
    return interval is not None and interval[0] > 0 and interval[0] ** 2 >= SHARE
