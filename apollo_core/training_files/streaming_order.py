"""An order in which files are read forward: shuffled blocks, then rows within a bounded window.

Shards are read a few at a time, each from its beginning to its end; what lies close together in
that stream is shuffled. A row so comes at most a window away from where the reading is, whatever
the size of the data, and any place of the order can be looked up, which resumes a stage to the bit.
"""

from __future__ import annotations

import heapq

import numpy as np

# Blocks that are read side by side: what is alike inside of a shard does not come in a row.
TOGETHER = 8
# Rows that are shuffled among one another.
WINDOW = 2048


def streaming_order(
    blocks: np.ndarray,
    rng: np.random.Generator,
    *,
    together: int = TOGETHER,
    window: int = WINDOW,
) -> np.ndarray:
    """Every row once, int64, shape (rows,).

    Blocks are shuffled and dealt to `together` lanes, each next one to the shortest. The lanes are
    merged in proportion to their lengths, with jitter, each kept in its order; then each window of
    `window` rows of the whole is permuted. A row's place in the result is less than `window` from
    its place in the merged lanes.

    Args:
        blocks: the block of each row, shape (rows,); rows of one block lie side by side.
        rng: the share's stream.
        together: lanes.
        window: rows.
    """
    borders = np.flatnonzero(np.diff(blocks)) + 1
    starts = np.concatenate([[0], borders]) if len(blocks) else np.zeros(0, np.int64)
    ends = np.concatenate([borders, [len(blocks)]])
    merged = _merged(_lanes(starts, ends, rng, together), rng)
    order = np.lexsort((rng.random(len(merged)), np.arange(len(merged)) // window))
    return merged[order]


def _lanes(
    starts: np.ndarray, ends: np.ndarray, rng: np.random.Generator, together: int
) -> list[np.ndarray]:
    dealt: list[list[np.ndarray]] = [[] for _ in range(together)]
    lengths = [(0, lane) for lane in range(together)]
    for block in rng.permutation(len(starts)).tolist():
        length, lane = heapq.heappop(lengths)
        start, end = int(starts[block]), int(ends[block])
        dealt[lane].append(np.arange(start, end))
        heapq.heappush(lengths, (length + end - start, lane))
    return [np.concatenate(lane) for lane in dealt if lane]


def _merged(lanes: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    if not lanes:
        return np.zeros(0, np.int64)
    when = [(np.arange(len(lane)) + rng.random(len(lane))) / len(lane) for lane in lanes]
    return np.concatenate(lanes)[np.argsort(np.concatenate(when), kind="stable")]
