"""Tell a loss spike from a loss that wobbles, and a training that is lost from one that learns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

WINDOW = 64
# Before that many losses their spread is not known.
LEAST = 16
DEVIATIONS = 6.0
# A normal distribution's standard deviation over its median absolute deviation.
TO_STANDARD = 1.4826
# Of the median: losses that hardly differ (a small set by heart) have hardly a spread, and what
# stands out of it is not yet a spike. Ours; with it a spike is at least 3 % above the median.
LEAST_SPREAD = 0.005


class LossWatch:
    r"""Compares each loss with the `WINDOW` before it.

    A spike is a loss $l > m + 6 s$, with m the median of the losses before it and
    $s = \max(1.4826 \operatorname{median}|l_i - m|, 0.005 |m|)$, their robust standard deviation.

    Args:
        recent: losses already seen, oldest first.
        first: the first `WINDOW` of the stage, or as many as there were; absent = none were seen.
    """

    def __init__(self, recent: Iterable[float] = (), first: Iterable[float] = ()) -> None:
        self.recent: deque[float] = deque(recent, WINDOW)
        self.first = list(first)

    def is_spike(self, loss: float) -> bool:
        """Whether `loss` is one; it is remembered either way."""
        found = len(self.recent) >= LEAST and loss > self._most()
        self.recent.append(loss)
        if len(self.first) < WINDOW:
            self.first.append(loss)
        return found

    def is_lost(self, factor: float) -> bool:
        """Whether training has made the loss worse, and for good: it is finite, and no use.

        It is, when the median of the last `WINDOW` losses is above `factor` times that of the
        stage's first `WINDOW`. Neither a spike nor a handful of them moves a median. The rule is
        ours; it needs to be asked for, since a stage that begins at a loss close to 0 may rise by
        any factor and be none the worse.
        """
        if len(self.recent) < WINDOW or len(self.first) < WINDOW:
            return False
        return median(self.recent) > factor * median(self.first)

    def _most(self) -> float:
        middle = median(self.recent)
        spread = TO_STANDARD * median(abs(each - middle) for each in self.recent)
        return middle + DEVIATIONS * max(spread, LEAST_SPREAD * abs(middle))
