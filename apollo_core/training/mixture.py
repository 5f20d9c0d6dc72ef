"""Which sample comes when: shares of data sets, drawn once for a whole stage.

The order is a function of (shares, sizes, samples, seed) alone: no worker, batch size or process
takes part in it, and any step of it can be looked up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apollo_core.errors import BadData
from apollo_core.stages.identity import Exhausted
from apollo_core.streams import generator
from apollo_core.training_files.streaming_order import streaming_order


@dataclass(frozen=True)
class Draw:
    """The order of a stage's samples.

    Attributes:
        share: which share each sample is from, shape (samples,).
        row: which row of that share's data, all its sets counted through, shape (samples,).
    """

    share: np.ndarray
    row: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def draw(
    shares: Sequence[float],
    sizes: Sequence[int],
    *,
    samples: int,
    seed: int,
    names: Sequence[str] = (),
    exhausted: Exhausted = "repeat",
    blocks: Sequence[np.ndarray | None] = (),
) -> Draw:
    """Draw `samples` samples.

    Each share gets `samples * share / sum(shares)` of them, rounded by largest remainder, so that
    the realised share is off by less than one sample. Within a share, its rows are permuted, and
    permuted anew each time they run out. The shares are then shuffled among one another.

    Args:
        shares: relative weights, >= 0.
        sizes: rows of each share's data.
        samples: how many to draw.
        seed: the replicate's.
        names: what each share's stream of rows is called; by default its number. A share of the
            same name has its rows in the same order whatever stands beside it, so that two mixtures
            are a paired comparison.
        exhausted: a share that runs out is gone through again, or ends the order at the sample
            before its first repetition: the same order, cut short.
        blocks: of each share, the block of each row where its data have to be read forward
            (shards): its order is that of `apollo_core.training_files.streaming_order`.

    Raises:
        BadData: a share above 0 has no rows.
    """
    counts = apportion(shares, samples)
    for index, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        if count and not size:
            raise BadData(f"share {index} of the mixture ({shares[index]:g}) has no samples")
    order = generator(seed, "data order: shares").permutation(
        np.repeat(np.arange(len(shares)), counts)
    )
    rows = np.zeros(samples, np.int64)
    called = names or [str(index) for index in range(len(shares))]
    for index, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        rng = generator(seed, f"data order: rows of {called[index]}")
        own = blocks[index] if blocks else None
        rounds = [_round(rng, size, own) for _ in range(-(-count // size))] if count else []
        rows[order == index] = np.concatenate(rounds)[:count] if rounds else []
    length = samples if exhausted == "repeat" else _before_repetition(order, sizes)
    return Draw(order[:length], rows[:length])


def _round(rng: np.random.Generator, size: int, blocks: np.ndarray | None) -> np.ndarray:
    """Every row of a share once."""
    return rng.permutation(size) if blocks is None else streaming_order(blocks, rng)


def _before_repetition(order: np.ndarray, sizes: Sequence[int]) -> int:
    """How many samples come before any share is asked for more rows than it has."""
    places = (np.flatnonzero(order == index) for index in range(len(sizes)))
    repeated = (own[size] for own, size in zip(places, sizes, strict=True) if len(own) > size)
    return min(map(int, repeated), default=len(order))


def apportion(shares: Sequence[float], samples: int) -> list[int]:
    """Whole numbers that sum to `samples`, in proportion to `shares` (largest remainder)."""
    exact = np.asarray(shares, float) / sum(shares) * samples
    counts = np.floor(exact).astype(int)
    by_remainder = np.argsort(-(exact - counts), kind="stable")
    counts[by_remainder[: samples - counts.sum()]] += 1
    return [int(count) for count in counts]
