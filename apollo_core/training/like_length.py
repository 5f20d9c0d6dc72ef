"""Micro-batches of like length: what is padded is computed for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# Least part of a micro-batch's positions that hold a token.
FILLED = 0.9


def like_length(lengths: Sequence[int], most: int, *, filled: float = FILLED) -> Iterator[slice]:
    """Cut samples in order of length into micro-batches, as few as the padding allows.

    Args:
        lengths: tokens of each sample, ascending.
        most: samples that a micro-batch may have.
        filled: least part of its positions that hold a token.
    """
    begin = held = 0
    for at, length in enumerate(lengths):
        count = at - begin
        if count == most or (count and held + length < filled * length * (count + 1)):
            yield slice(begin, at)
            begin = at
            held = 0
        held += length
    if begin < len(lengths):
        yield slice(begin, len(lengths))
