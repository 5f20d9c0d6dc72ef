"""How much frozen encoders' kept features have served a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from apollo_core.features.budget import bytes_under
from orchestrator.files import last_json_lines
from orchestrator.plan.amounts import si
from orchestrator.store.store import JsonObject, Store


@dataclass(frozen=True)
class FeaturesSeen:
    """Media whose features were found, and media that had to be decoded and computed.

    `bytes` of all that is kept; 0 = nobody has looked.
    """

    hits: int = 0
    misses: int = 0
    bytes: int = 0

    def __add__(self, other: FeaturesSeen) -> FeaturesSeen:
        return FeaturesSeen(self.hits + other.hits, self.misses + other.misses)


def features_seen(events: Sequence[JsonObject]) -> FeaturesSeen:
    """What the last of a stage's events, oldest first, tell of it: they count up."""
    for event in reversed(events):
        hits, misses = event.get("feature_hits"), event.get("feature_misses")
        if isinstance(hits, int) and isinstance(misses, int):
            return FeaturesSeen(hits, misses)
    return FeaturesSeen()


def stage_features(store: Store, key: str) -> FeaturesSeen:
    """Those of one stage, done or under way; reads the end of its events only."""
    return features_seen(last_json_lines(store.metrics_path(key)))


def measured(seen: FeaturesSeen, store: Store) -> FeaturesSeen:
    """The same with the bytes that the store's features take; walks through their folder."""
    return replace(seen, bytes=bytes_under(store.features))


def features_line(seen: FeaturesSeen) -> str:
    """`kept features: 5,120 of 6,400 media found, 1,280 computed`; empty where none were used."""
    media = seen.hits + seen.misses
    if not media:
        return ""
    line = f"kept features: {seen.hits:,} of {media:,} media found, {seen.misses:,} computed"
    return f"{line}; {si(seen.bytes).strip()}B on disk" if seen.bytes else line
