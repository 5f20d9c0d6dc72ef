"""Gather the numbers that the verdict on a pair of scales rests on."""

from __future__ import annotations

from collections.abc import Mapping

from analysis.findings.pair import Pair
from analysis.findings.pair_breakdown import Breakdown
from analysis.findings.pair_resampling import Resampling
from analysis.statistics.consistency import Within
from analysis.statistics.intervals import Interval
from analysis.statistics.reliability import PairNoise
from analysis.statistics.verdict import PairEvidence, weighing

# R² of fewer designs falls far for no reason; a level that most designs share leaves out no part.
FEWEST_LEFT = 4


def pair_evidence(
    r_ci: Interval | None,
    within: Mapping[str, Within],
    resampling: Resampling,
    breakdown: Breakdown | None,
    noise: PairNoise | None,
    *,
    n: int,
    signal: bool,
) -> PairEvidence:
    """Collect what `verdict.judge_pair` asks for; `n` designs, `r_ci` Fisher's interval of r."""
    shares = (None, None)
    if noise is not None:
        shares = (
            weighing(noise.decidable_small, noise.freedom_small),
            weighing(noise.decidable_large, noise.freedom_large),
        )
    return PairEvidence(
        r_ci=r_ci,
        r_ci_believed=believed_interval(resampling, "pearson"),
        within={block: part.pearson_ci for block, part in within.items() if part.n},
        weakest_level=_weakest_level(breakdown, n, inside=any(p.n for p in within.values())),
        weakest_design=_weakest_design(breakdown, n),
        wrong_beyond_noise=None if noise is None or None in shares else noise.wrong_real_reversal,
        decidable=shares,
        signal=signal,
    )


def believed_interval(resampling: Resampling, statistic: str) -> Interval | None:
    """Return a statistic's resampled interval of the kind to believe; None where there is none."""
    if resampling.believe is None:
        return None
    crossed = resampling.crossed.get(resampling.believe)
    return (resampling.plain if crossed is None else crossed).get(statistic)


def quoted_interval(pair: Pair) -> Interval | None:
    """The interval of R² to print beside it: with blocks redrawn where that is the one to believe.

    Fisher's elsewhere. None where the pair has none.
    """
    return believed_interval(pair.resampling, "r2") if trusts_blocks(pair) else pair.r2_ci


def trusts_blocks(pair: Pair) -> bool:
    """Whether the interval to believe is one that redraws blocks and configurations."""
    return pair.resampling.believe not in (None, "plain")


def _weakest_level(
    breakdown: Breakdown | None, n: int, *, inside: bool
) -> tuple[str, float] | None:
    if breakdown is None:
        return None
    found = [
        (f"{column} {part.left_out}", r2)
        for column, parts in breakdown.without_level.items()
        for part in parts
        if part.n >= max(FEWEST_LEFT, n / 2)
        for r2 in (part.within.values() if inside else (part.r2,))
        if r2 is not None
    ]
    return min(found, key=lambda part: part[1], default=None)


def _weakest_design(breakdown: Breakdown | None, n: int) -> tuple[str, float] | None:
    if breakdown is None or n - 1 < FEWEST_LEFT or breakdown.designs.low is None:
        return None
    return str(breakdown.designs.lowest_without), breakdown.designs.low
