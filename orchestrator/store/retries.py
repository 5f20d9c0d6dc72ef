"""Whether a stage that failed is tried again, when, and how: pure, and the only place to decide.

Every failure has a class. Its rule says how often the same stage is tried again at once in one run,
and what becomes of it after that: the next run tries it again by itself, or only when it is asked
to (`--retry-failed`). Each class has its own count, so two machines lost leave a stage all its
attempts at a smaller micro-batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

INFRA = "infra"
PREEMPTED = "preempted"
STALLED = "stalled"
OOM = "oom"
DISK = "disk"
DAMAGED = "damaged"
LEASE = "lease"
DATA = "data"
DIVERGED = "diverged"
ERROR = "error"

Then = Literal["again", "next run", "when asked"]


@dataclass(frozen=True)
class Rule:
    """How one class of failure is treated.

    Attributes:
        again: tries in one run beyond the first; None = any number of them.
        afterwards: what becomes of the stage once these are used up.
        advice: what a person can do; empty where the message says all there is.
    """

    again: int | None
    afterwards: Literal["next run", "when asked"]
    advice: str = ""


RULES: Mapping[str, Rule] = {
    # The machine's doing. None of these says anything against the stage.
    INFRA: Rule(3, "next run"),
    PREEMPTED: Rule(None, "next run"),
    DISK: Rule(
        0,
        "next run",
        "free space where the store and its temporary files lie (`apollo gc --dry-run` lists what "
        "no sweep refers to), then run the same again",
    ),
    DAMAGED: Rule(0, "next run"),
    LEASE: Rule(None, "next run"),
    # May be either's: a second process that hangs at the same stage tells against the stage.
    STALLED: Rule(
        1,
        "when asked",
        "`failures.jsonl` has the stack; a stage that is only slow needs a larger "
        "execution.stall_minutes",
    ),
    # Tried again, but not in the same way: each time with half the micro-batch.
    OOM: Rule(
        3,
        "when asked",
        "set execution.activation_checkpointing: true or give the scale more memory (`resources`), "
        "then run with --retry-failed",
    ),
    # The same again would fail again.
    DATA: Rule(0, "when asked"),
    DIVERGED: Rule(0, "when asked"),
    ERROR: Rule(0, "when asked"),
}


# Seconds to wait before each further try of what a device or a file server failed at: it may be
# starting again.
SERVER_PAUSES = (1.0, 10.0, 60.0)


@dataclass(frozen=True)
class Decision:
    """What follows a failure.

    Attributes:
        then: when the stage is tried again.
        micro_batch: samples per forward of that try, where the failure bounds them.
    """

    then: Then
    micro_batch: int | None = None


def pause_of_server(failed: int) -> float:
    """Seconds to wait after a server has failed a stage so often, from once."""
    return SERVER_PAUSES[min(failed, len(SERVER_PAUSES)) - 1]


def rule_of(failure_class: str) -> Rule:
    """The rule of a class; that of `error` for one that is not known."""
    return RULES.get(failure_class, RULES[ERROR])


def decide(
    failure_class: str, earlier: Sequence[str], *, micro_batch: int | None = None
) -> Decision:
    """What follows a failure of this class.

    Args:
        failure_class: of the failure.
        earlier: classes of the stage's other failures in this run.
        micro_batch: samples per forward of the attempt that ran out of memory; None if not known.
    """
    rule = rule_of(failure_class)
    if rule.again is not None and earlier.count(failure_class) >= rule.again:
        return Decision(rule.afterwards)
    if failure_class != OOM:
        return Decision("again")
    if micro_batch is None or micro_batch == 1:
        return Decision(rule.afterwards)
    return Decision("again", micro_batch // 2)
