"""What of a run is told to a web address: stages given up, and how it ended."""

from __future__ import annotations

from typing import Any

from apollo_core.errors import ApolloError
from orchestrator.engine.outcome import StageOutcome
from orchestrator.run_summary import RunSummary
from orchestrator.store.failures import one_line
from orchestrator.store.retries import DAMAGED
from orchestrator.store.sweep_record import SweepRecord
from orchestrator.watching.webhook import (
    Failure,
    Webhook,
    broken_message,
    end_message,
    stopped_message,
)


class Notices:
    """The messages of one run; none where no address was given.

    Args:
        record: the sweep.
        url: where to, or None.

    Raises:
        BadInput: it is no web address.
    """

    def __init__(self, record: SweepRecord, url: str | None) -> None:
        self._record = record
        self._webhook = Webhook(url) if url else None
        self._last: dict[str, Any] | None = None

    def take(self, outcome: StageOutcome) -> None:
        """Tell of a stage that is given up now; one that an earlier run gave up is no news."""
        # What a stage starts from is made again in the same run; if that fails, the end tells.
        mended = outcome.failure_class == DAMAGED
        if self._webhook and outcome.status == "failed" and outcome.ran and not mended:
            self._webhook.failed(self._record.name, self._failure(outcome))

    def end(self, summary: RunSummary) -> None:
        """Keep the message of a run that came to its end."""
        stages = {
            "done": summary.done,
            "failed": len(summary.failed),
            "blocked": summary.blocked,
        }
        failures = [self._failure(each) for each in summary.failed]
        self._last = end_message(self._record.name, stages, failures, seconds=summary.seconds)

    def stopped(self) -> None:
        """Keep the message of a run that was stopped."""
        self._last = stopped_message(self._record.name)

    def broken(self, error: Exception) -> None:
        """Keep the message of a run that an error ended."""
        said = str(error) if isinstance(error, ApolloError) else one_line(error)
        self._last = broken_message(self._record.name, said)

    def close(self) -> str | None:
        """Send what is left; return what to say if nothing could be sent."""
        return self._webhook.close(self._last) if self._webhook else None

    def _failure(self, outcome: StageOutcome) -> Failure:
        return {
            "stage": self._record.label(outcome.key),
            "class": outcome.failure_class,
            "message": outcome.message,
        }
