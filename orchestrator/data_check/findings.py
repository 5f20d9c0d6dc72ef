"""What a check finds, summed up while it goes on: a few numbers a medium stay in memory."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from apollo_core.errors import BadData
from apollo_core.media.manifest_record import Medium
from apollo_core.media.medium_facts import Facts, content_hash


@dataclass(frozen=True)
class Limits:
    """What is too short or too long, in seconds; None = nothing is."""

    least: float | None = None
    most: float | None = None


@dataclass
class Findings:
    """Everything that was found.

    Attributes:
        bad: path -> why it is not to be trained on, in the order in which it was found.
        states: how many media there are of each state; `too_short` and `too_long` are usable ones.
        lies: path -> (seconds by the header, seconds by the packets).
        seconds, rates: of each usable video.
        sizes: (width, height) -> media.
        codecs: codec -> videos.
    """

    limits: Limits
    bad: dict[str, str] = field(default_factory=dict)
    states: Counter[str] = field(default_factory=Counter)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    by_state: dict[str, list[str]] = field(default_factory=dict)
    lies: dict[str, tuple[float, float]] = field(default_factory=dict)
    seconds: array[float] = field(default_factory=lambda: array("f"))
    rates: array[float] = field(default_factory=lambda: array("f"))
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    codecs: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    bytes: array[int] = field(default_factory=lambda: array("q"))

    def add(self, facts: Facts) -> None:
        """Take one more medium, in the order of the media."""
        self.kinds[facts.kind] += 1
        self.bytes.append(facts.bytes if facts.state == "usable" else -1)
        if facts.state != "usable":
            self._note(facts.state, facts.path, facts.reason)
            return
        self.states["usable"] += 1
        if facts.width:
            self.sizes[facts.width, facts.height] += 1
        if facts.kind == "video" and facts.frames:
            self._film(facts)

    def _film(self, facts: Facts) -> None:
        self.seconds.append(facts.seconds)
        self.rates.append(facts.rate)
        self.codecs[facts.codec] += 1
        if facts.lies and facts.claimed is not None:
            self.lies[facts.path] = (facts.claimed, facts.seconds)
        least, most = self.limits.least, self.limits.most
        if least is not None and facts.seconds < least:
            self._note("too_short", facts.path, f"takes {facts.seconds:.2f} s, under {least:g}")
        if most is not None and facts.seconds > most:
            self._note("too_long", facts.path, f"takes {facts.seconds:.2f} s, over {most:g}")

    def _note(self, state: str, path: str, why: str) -> None:
        self.states[state] += 1
        self.bad[path] = why
        self.by_state.setdefault(state, []).append(path)


def duplicates_of(
    media: Sequence[Medium],
    sizes: Sequence[int],
    root: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[tuple[str, ...]]:
    """Media of equal bytes, group by group; only those of equal size are read.

    Args:
        media: all of them.
        sizes: bytes of each; -1 for one that cannot be read.
        root: the folder that paths start from.
    """
    held = np.frombuffer(array("q", sizes), np.int64)
    known, counts = np.unique(held[held > 0], return_counts=True)
    alike = np.flatnonzero(np.isin(held, known[counts > 1]))
    found: dict[str, list[str]] = {}
    for done, place in enumerate(alike.tolist(), start=1):
        path = media[place].path
        try:
            found.setdefault(content_hash(root, path), []).append(path)
        except (OSError, BadData):
            continue  # it went while it was looked at
        finally:
            if on_progress is not None:
                on_progress(done, len(alike))
    return [tuple(paths) for paths in found.values() if len(paths) > 1]


def middle(values: Iterable[float]) -> dict[str, float]:
    """Least, quartiles, most and sum; {} of nothing."""
    held = np.asarray(list(values), float)
    if not len(held):
        return {}
    names = ("least", "quarter", "median", "three_quarters", "most")
    found = np.quantile(held, (0, 0.25, 0.5, 0.75, 1)).tolist()
    return {**dict(zip(names, found, strict=True)), "sum": float(held.sum())}
