"""What became of a stage's features: found, computed, and why no more are kept."""

from __future__ import annotations

from threading import Lock

from apollo_core.features.feature_use import FeatureUse


class FeatureCache:
    """One stage's use of the features kept beside the store. Threads may share it.

    A side cache: without it, or with any part of it missing or damaged, a stage computes the same
    features and ends with the same result.

    Attributes:
        use: what may be kept, and where.
        hits, misses: media whose features were all there, and media that had to be decoded.
        stopped: why nothing more is kept; "" while it goes on.
    """

    def __init__(self, use: FeatureUse) -> None:
        self.use = use
        self.hits = 0
        self.misses = 0
        self.stopped = ""
        self._told = False
        self._lock = Lock()

    def __reduce__(self) -> tuple[type[FeatureCache], tuple[FeatureUse]]:
        """Another process makes its own, and counts for itself."""
        return FeatureCache, (self.use,)

    def count(self, *, hit: bool) -> None:
        """Take note of one medium."""
        with self._lock:
            self.hits += hit
            self.misses += not hit

    def stop(self, reason: str) -> None:
        """Keep nothing more; the first reason stays. What is there is still read."""
        with self._lock:
            self.stopped = self.stopped or reason

    def told(self) -> dict[str, int | str]:
        """What a stage's event says of it; why it stopped is said once."""
        if not self.hits + self.misses and not self.stopped:
            return {}
        news: dict[str, int | str] = {"feature_hits": self.hits, "feature_misses": self.misses}
        if self.stopped and not self._told:
            self._told = True
            news["features_not_kept"] = self.stopped
        return news
