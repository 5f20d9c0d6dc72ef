"""Random streams: one per seed and purpose, never per design.

Designs share their streams, so that a difference between two of them is a paired one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def seed_of(seed: int, purpose: str) -> int:
    """A 63-bit seed, a function of `(seed, purpose)` alone."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A numpy generator on the stream of `(seed, purpose)`."""
    return np.random.default_rng(seed_of(seed, purpose))


@contextmanager
def torch_stream(seed: int, purpose: str) -> Iterator[None]:
    """Inside, torch's global generator runs on the stream of `(seed, purpose)`; outside, as before.

    Layers initialise themselves from the global generator: there is no argument for it.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, purpose))
        yield
