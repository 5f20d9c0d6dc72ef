"""All intervals of one pair of scales, and which of them to believe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.findings.metric_noise import Errors
from analysis.statistics.bootstrap import (
    Spread,
    crossed_bootstrap,
    design_bootstrap,
    intraclass,
    joint_bootstrap,
    noise_bootstrap,
)
from analysis.statistics.intervals import Interval
from analysis.statistics.scores import Scores
from analysis.statistics.selection_noise import SelectionNoise, selection_noise

# Fewer designs than this leave a bootstrap nothing to draw from.
FEWEST_DESIGNS = 4
# With fewer blocks than this their own luck is hardly seen in any interval.
FEW_BLOCKS = 5


@dataclass(frozen=True)
class Crossing:
    """A block column seen as one of two crossed factors: codes of each design, shape (n,)."""

    blocks: NDArray[np.intp]
    configurations: NDArray[np.intp]


@dataclass(frozen=True)
class Resampling:
    """Resampling intervals of one pair of scales; field names are those of report.json.

    `plain` draws designs as if independent; `crossed` holds, per block column, the intervals that
    draw blocks and configurations; `believe` names the one to quote and `why` the reason. `parts`
    says how far statistics move with designs, seeds, items, and all of them. `selection` keeps the
    designs. Empty or None where the data do not tell.
    """

    draws: int
    plain: dict[str, Interval | None]
    crossed: dict[str, dict[str, Interval | None]]
    believe: str | None
    why: str
    parts: dict[str, dict[str, Spread]]
    selection: SelectionNoise | None


def resample_pair(
    small: Scores,
    large: Scores,
    errors: tuple[Errors, Errors],
    crossings: Mapping[str, Crossing],
    *,
    ks: list[int],
    draws: int,
    seed: int,
    direction: float,
) -> Resampling:
    """Resample one pair of scales in every way that the data allow.

    Every pair of scales starts from the same `seed`, so that pairs with the same designs draw the
    same ones and can be compared draw by draw.

    Args:
        small, large: scores of the designs that both scales have, shape (n,).
        errors: drawn errors of those designs at either scale, each (draws, n).
        crossings: block column -> how the designs fall into blocks and configurations.
        ks: for how many designs taken along selection is judged.
        direction: 1 where higher scores are better, -1 where lower ones are.
    """
    noises = _noises(errors)
    few = small.size < FEWEST_DESIGNS
    selection = _selection(small, large, noises, ks, direction) if small.size > 1 else None
    if few:
        why = f"fewer than {FEWEST_DESIGNS} designs"
        return Resampling(0, {}, {}, None, why, {}, selection)
    plain = design_bootstrap(small, large, np.random.default_rng(seed), draws)
    crossed = {
        block: crossed_bootstrap(
            small, large, c.blocks, c.configurations, np.random.default_rng(seed), draws
        )
        for block, c in crossings.items()
        if np.unique(c.blocks).size > 1
    }
    parts = {"designs": plain}
    for name, pair in noises.items():
        parts[name] = noise_bootstrap(small, large, pair)
    if noises:
        together = _sum(noises)
        rng = np.random.default_rng(seed)
        parts["all"] = joint_bootstrap(small, large, together, rng, len(together[0]))
    believe, why = _believed(small, large, plain, crossed, crossings)
    return Resampling(
        draws=draws,
        plain=_intervals(plain),
        crossed={block: _intervals(spreads) for block, spreads in crossed.items()},
        believe=believe,
        why=why,
        parts=parts,
        selection=selection,
    )


Pairwise = tuple[Scores, Scores]


def _noises(errors: tuple[Errors, Errors]) -> dict[str, Pairwise]:
    """The sources whose errors are known at either scale; the other scale's are 0 there."""
    found: dict[str, Pairwise] = {}
    for name in ("seeds", "items"):
        sides = [getattr(side, name) for side in errors]
        known = [side for side in sides if side is not None and np.isfinite(side).all()]
        if known and any(side.any() for side in known):
            zeros = np.zeros_like(known[0])
            usable = [side if any(side is k for k in known) else zeros for side in sides]
            found[name] = (usable[0], usable[1])
    return found


def _sum(noises: Mapping[str, Pairwise]) -> Pairwise:
    pairs = list(noises.values())
    return sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)  # pyright: ignore[reportReturnType]


def _selection(
    small: Scores,
    large: Scores,
    noises: Mapping[str, Pairwise],
    ks: list[int],
    direction: float,
) -> SelectionNoise | None:
    if not noises:
        return None
    errors = _sum(noises)
    return selection_noise(
        direction * (small + errors[0]),
        direction * (large + errors[1]),
        ks,
        sources=tuple(noises),
    )


def _believed(
    small: Scores,
    large: Scores,
    plain: Mapping[str, Spread],
    crossed: Mapping[str, Mapping[str, Spread]],
    crossings: Mapping[str, Crossing],
) -> tuple[str | None, str]:
    """Name the r2 interval to quote: the widest crossed one where designs of a block are alike."""
    alike = {
        block: spreads["r2"].ci
        for block, spreads in crossed.items()
        if spreads["r2"].ci is not None and _are_alike(small, large, crossings[block])
    }
    if not alike:
        known = plain["r2"].ci is not None
        why = "no block column makes designs alike" if crossed else "no blocks are given"
        return ("plain", why) if known else (None, "r2 is not defined in the resamples")
    block = max(alike, key=lambda name: alike[name][1] - alike[name][0])
    count = int(np.unique(crossings[block].blocks).size)
    why = f"designs that share {block} or a configuration score alike, so they are not independent"
    if count < FEW_BLOCKS:
        why += f"; with {count} blocks even this interval is rough"
    return block, why


def _are_alike(small: Scores, large: Scores, crossing: Crossing) -> bool:
    found = [
        intraclass(scores, groups)
        for scores in (small, large)
        for groups in (crossing.blocks, crossing.configurations)
    ]
    return any(value is not None and value > 0 for value in found)


def _intervals(spreads: Mapping[str, Spread]) -> dict[str, Interval | None]:
    return {name: spread.ci for name, spread in spreads.items()}
