"""Micro-batches of like length: what is padded is computed for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

# Least part of all positions that hold a token.
FILLED = 0.9


def like_length(lengths: Sequence[int], most: int, *, filled: float = FILLED) -> Iterator[slice]:
    """Cut samples in order of length into micro-batches: as few as the padding allows, since each
    costs something of its own, and of so few those that are padded least.

    Args:
        lengths: tokens of each sample, ascending.
        most: samples that a micro-batch may have.
        filled: least part of the positions, of all micro-batches together, that hold a token.
    """
    if not lengths:
        return
    borders = _borders(np.asarray(lengths), most, filled)
    yield from (slice(*each) for each in pairwise(borders))


def _borders(lengths: np.ndarray, most: int, filled: float) -> list[int]:
    """Where the fewest parts begin and end that are `filled` together."""
    count = len(lengths)
    ends, begins = np.arange(1, count + 1)[:, None], np.arange(count)
    size = ends - begins
    # Positions of the part from `begins` to `ends`.
    cost = np.where((size > 0) & (size <= most), size * lengths[:, None], np.inf)
    # Of the first n samples in so many parts as `chosen` is long: positions at least, and where the
    # last of the parts begins.
    least = np.full(count + 1, np.inf)
    least[0] = 0
    chosen: list[np.ndarray] = []
    while np.isinf(least[count]) or least[count] * filled > lengths.sum():
        whole = least[:-1] + cost
        chosen.append(np.argmin(whole, 1))
        least = np.concatenate([[np.inf], whole.min(1)])
    borders = [count]
    for begin in reversed(chosen):
        borders.append(int(begin[borders[-1] - 1]))
    return borders[::-1]
