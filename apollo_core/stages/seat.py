"""The place of one process among those that work on a stage together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Seat:
    """Which of a stage's processes this is, and where they find each other.

    Attributes:
        rank: from 0; the first alone is heard, keeps checkpoints and leaves results.
        size: how many there are.
        meeting: a file on a file system that all of them see, which does not exist yet: they find
            each other by it. None exactly where there is only one.
    """

    rank: int = 0
    size: int = 1
    meeting: Path | None = None

    def __post_init__(self) -> None:
        assert 0 <= self.rank < self.size
        assert (self.meeting is None) == (self.size == 1)


ALONE = Seat()
