"""Random streams and balanced dealing.

Every draw comes from a stream named by (seed, split, purpose, index), so a sample never depends on
how many others there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Split(IntEnum):
    """Where a sample belongs. The numbers enter the seeds: never reuse or change one."""

    TRAIN = 0
    BENCH = 1
    IMAGES = 2
    MULTI_IMAGES = 3
    TEXTS = 4
    CORPUS = 5
    PRETRAIN_IMAGES = 6
    PRETRAIN_VIDEOS = 7


class Purpose(IntEnum):
    """What a stream decides. The numbers enter the seeds: never reuse or change one."""

    PLOT = 0
    TEXTURE = 1
    QUESTIONS = 2
    CAMERA = 3
    OCR = 4
    SPATIAL = 5
    PERCEPTION = 6
    REASONING = 7
    POSITION = 8
    STILL = 9
    CAPTION = 10


def stream(*key: int) -> np.random.Generator:
    """Return the generator that belongs to `key`: seed, split, purpose, index."""
    return np.random.default_rng(np.random.SeedSequence(key))


def choice(rng: np.random.Generator, items: Sequence[T]) -> T:
    """Draw one of `items`, each with the same probability."""
    return items[int(rng.integers(len(items)))]


def shuffled(rng: np.random.Generator, items: Sequence[T]) -> list[T]:
    """Return `items` in random order."""
    return [items[int(i)] for i in rng.permutation(len(items))]


@lru_cache(maxsize=4096)
def _deck_order(size: int, key: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in stream(*key).permutation(size))


def deal(cells: Sequence[T], index: int, *key: int) -> T:
    """Return card `index` of an endless row of shuffled decks of `cells`.

    Among any first n cards each cell occurs floor(n / len(cells)) times or once more; and card
    `index` stays the same however many are dealt.
    """
    deck, place = divmod(index, len(cells))
    return cells[_deck_order(len(cells), (*key, deck))[place]]
