"""One of four fixed words for a pair of scales, tied to its intervals by a rule a reader can check.

With r the correlation of the two scales and its 95 % Fisher interval, in this order:

- *undecidable*: no interval (fewer than 4 designs, a constant column), or a metric at chance;
- *reverses*: the interval of r lies below 0;
- *undecidable*: the lower end of R2 does not reach `SHARE`;
- *transfers only in aggregate*: for some block column, R2 within blocks does not reach it;
- *transfers*: all of them do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Verdict = Literal["transfers", "transfers only in aggregate", "undecidable", "reverses"]
VERDICTS: tuple[Verdict, ...] = (
    "transfers",
    "transfers only in aggregate",
    "undecidable",
    "reverses",
)

# The lower end of the R2 interval must reach one half: the small scale then surely explains more of
# the differences between designs than it leaves open. Our choice; the paper draws no line.
SHARE = 0.5

RULE = (
    f"Transfers: the lower end of the 95 % interval of R² reaches {SHARE} and r is positive,"
    " overall and within every kind of block. Transfers only in aggregate: overall, but not within"
    " blocks. Reverses: the interval of r lies below 0. Undecidable: anything else, fewer than 4"
    " designs, or a metric at its chance level."
)

Interval = tuple[float, float]


def judge(
    pearson_ci: Interval | None, within_cis: Iterable[Interval | None], *, signal: bool
) -> Verdict:
    """Return the verdict word for one pair of scales.

    Args:
        pearson_ci: 95 % interval of r over all designs; None where there is none.
        within_cis: the same within the blocks of each block column.
        signal: whether both scales are above chance (true where chance is not known).
    """
    if pearson_ci is None or not signal:
        return "undecidable"
    if pearson_ci[1] < 0:
        return "reverses"
    if not _explains_enough(pearson_ci):
        return "undecidable"
    enough = all(_explains_enough(interval) for interval in within_cis)
    return "transfers" if enough else "transfers only in aggregate"


def _explains_enough(interval: Interval | None) -> bool:
    return interval is not None and interval[0] > 0 and interval[0] ** 2 >= SHARE
