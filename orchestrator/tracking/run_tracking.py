"""The MLflow view of one run: begun when work begins, not at all when it shows everything."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.store.store import Store
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.tracking.tracking import Tracker, is_tracked


class RunTracking:
    """Starts and stops the tracker of a run.

    Args:
        store: where the run's results grow.
        uri: of the tracking server; None = the store's own database.
        warn: told once if the view cannot be written, at the first try that fails.
    """

    def __init__(
        self, store: Store, uri: str | None, *, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        self._store = store
        self._uri = uri
        self._warn = warn
        self._tracker: Tracker | None = None

    def start(self, record: SweepRecord, missing: int) -> None:
        """Follow the sweep; with nothing missing and nothing new there is nothing to follow."""
        if missing or not is_tracked(record, self._store, self._uri):
            self._tracker = Tracker(record, self._store, self._uri, warn=self._warn)

    def close(self) -> str | None:
        """Write what is left; return what to tell the user if the view is behind."""
        tracker, self._tracker = self._tracker, None
        return tracker.close() if tracker else None
