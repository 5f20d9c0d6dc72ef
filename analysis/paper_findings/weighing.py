"""A verdict on one contrast: does another study point the same way?"""

from __future__ import annotations

from typing import Literal

from analysis.paper_findings.claims import Direction

Agreement = Literal["same direction", "no evidence", "opposite"]

RULE = (
    "Same direction or opposite: the effect differs from 0 at the largest scale, with a p below "
    ".05 after Holm's correction over all effects of its axis at all scales. Otherwise no "
    "evidence, which is no evidence of equality."
)


def weigh(
    effect: float, p: float | None, direction: Direction, *, level: float = 0.05
) -> Agreement:
    """Compare an effect's direction with the paper's.

    Args:
        effect: level less base, in points; above 0 is better.
        p: of the effect, adjusted; None where it cannot be tested.
        direction: of the paper's difference.
        level: at which an effect counts as one.
    """
    if p is None or p >= level or effect == 0:
        return "no evidence"
    return "same direction" if (effect < 0) == (direction == "below") else "opposite"
