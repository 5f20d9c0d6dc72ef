"""Digits: in which order they come, which is shown when, for how long, and how many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from apollo_core.microworld.focus import COUNTS, SECONDS
from apollo_core.microworld.language import NUMBERS
from apollo_core.microworld.probes.sights import Moments, Sight

Votes = Counter[str]


def vote_order(sight: Sight, family: str, options: Sequence[str]) -> Votes:
    """First, second or last among the digits seen; any of them where no order is told."""
    seen = list(dict.fromkeys(digit for digit in sight.digits if digit is not None))
    place = {"first": 0, "second": 1, "last": len(seen) - 1}[family]
    if not sight.ordered:
        return Counter(seen)
    if 0 <= place < len(seen):
        return Counter([seen[place]])
    return Counter(option for option in options if option not in seen)


def vote_at(sight: Sight, moment: float) -> Votes:
    """What the frame nearest to a moment shows, or the nearest that shows anything."""
    if not sight.ordered:
        return Counter(digit for digit in sight.digits if digit is not None)
    shown = [i for i, digit in enumerate(sight.digits) if digit is not None]
    nearest = (
        sight.digits[min(shown, key=lambda i: abs(timing[i] - moment))]
        for timing in sight.timings
        if shown
    )
    return Counter(digit for digit in nearest if digit is not None)


def vote_seconds(sight: Sight, digit: str) -> Votes:
    """Whole seconds between the last frames without the digit and its first and last frame."""
    shown = [i for i, each in enumerate(sight.digits) if each == digit]
    if not shown:
        return Counter(SECONDS)
    votes: Votes = Counter()
    for timing in sight.timings:
        shortest, longest = _bounds(timing, shown[0], shown[-1])
        fits = [text for text in SECONDS if shortest <= NUMBERS.index(text) <= longest]
        votes.update({text: _share(fits) for text in fits})
    return votes


def _bounds(timing: Moments, first: int, last: int) -> tuple[float, float]:
    """Least and most seconds that frames `first` to `last` can stand for."""
    before = timing[first - 1] if first else 0.0
    step = float(np.diff(timing).max()) if len(timing) > 1 else float(timing[0])
    after = timing[last + 1] if last + 1 < len(timing) else timing[last] + step
    return float(timing[last] - timing[first]), float(after - before)


def vote_count(sight: Sight) -> Votes:
    """As many as are seen, within what is possible."""
    seen = len({digit for digit in sight.digits if digit is not None})
    least, most = (NUMBERS.index(count) for count in (COUNTS[0], COUNTS[-1]))
    return Counter([NUMBERS[min(max(seen, least), most)]])


def _share(fits: Iterable[str]) -> int:
    """A vote is split between what fits; in twelfths, to stay whole."""
    return 12 // max(1, len(list(fits)))
