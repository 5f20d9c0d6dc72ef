"""What became of a run, and how its last lines tell it."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.engine.outcome import StageOutcome
from orchestrator.store.retries import rule_of
from orchestrator.store.sweep_record import SweepRecord

# Variants that a summary names; `apollo status` names them all.
_NAMED = 8


@dataclass(frozen=True)
class RunSummary:
    """What became of a run.

    Attributes:
        wanted: stages that the run was asked for.
        done_before: how many of them were done already.
        done: how many are done now.
        failed: outcomes of those that failed, in this run or an earlier one.
        blocked: stages that cannot run because of these.
        seconds: duration of the run.
    """

    wanted: int
    done_before: int
    done: int
    failed: tuple[StageOutcome, ...]
    blocked: int
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 when everything asked for is done, else 1."""
        return 0 if self.done == self.wanted else 1


def summary_lines(summary: RunSummary, record: SweepRecord) -> list[str]:
    """What to tell at the end of a run."""
    ran = summary.done - summary.done_before
    lines = [
        f"{record.name}: {summary.done} of {summary.wanted} stages done "
        f"({summary.done_before} before, {ran} now), {len(summary.failed)} failed, "
        f"{summary.blocked} blocked by them"
    ]
    for outcome in summary.failed:
        lines.append(f"  {outcome.failure_class}: {record.label(outcome.key)}: {outcome.message}")
    without = record.variants_with(outcome.key for outcome in summary.failed)
    if without:
        lines.append(f"  no scores for {_listed(without)}")
    if any(rule_of(each.failure_class).afterwards == "when asked" for each in summary.failed):
        lines.append("Failed stages are tried again with --retry-failed.")
    return lines


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
