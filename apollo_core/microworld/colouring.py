"""Colours of the shapes of one film, so that its questions have the answers that were dealt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from apollo_core.microworld.chance import choice, shuffled
from apollo_core.microworld.language import COLOURS, NUMBERS

# How often each of two colours is there when one is there so many more times, among four shapes.
_PAIRS: dict[int, tuple[tuple[int, int], ...]] = {
    0: ((1, 1), (2, 2)),
    1: ((1, 0), (2, 1)),
    2: ((2, 0), (3, 1)),
    3: ((3, 0),),
}


def colour_bodies(
    count: int, *, among_stayers: str | None, more: str | None, rng: np.random.Generator
) -> list[str]:
    """A colour for each shape, the last of them the mover's; colours repeat.

    Args:
        count: shapes.
        among_stayers: a colour that one of the others must have.
        more: in words, by how many shapes one colour must exceed another.
        rng: the source of chance.
    """
    if more is None:
        kinds = [int(kind) for kind in rng.integers(len(COLOURS), size=count)]
    else:
        kinds = _kinds(count, [*NUMBERS].index(more), rng)
    names: list[str] = shuffled(rng, COLOURS)
    if among_stayers is not None:
        kind = choice(rng, kinds[:-1])
        other = names.index(among_stayers)
        names[kind], names[other] = names[other], names[kind]
    return [names[kind] for kind in kinds]


def _kinds(count: int, more: int, rng: np.random.Generator) -> list[int]:
    """Which shapes are of one colour: two kinds by `_PAIRS`, the rest of the other two."""
    first, second = choice(rng, _PAIRS[more])
    rest = rng.integers(2, len(COLOURS), size=count - first - second)
    return shuffled(rng, [0] * first + [1] * second + [int(kind) for kind in rest])


def differences(colours: Sequence[str]) -> dict[int, list[tuple[str, str]]]:
    """By how many shapes one colour exceeds another -> the pairs (more, fewer) of which that holds.

    A pair of which neither is there is left out.
    """
    found: dict[int, list[tuple[str, str]]] = {}
    for more in sorted(set(colours)):
        for fewer in COLOURS:
            by = colours.count(more) - colours.count(fewer)
            if fewer != more and by >= 0:
                found.setdefault(by, []).append((more, fewer))
    return found
