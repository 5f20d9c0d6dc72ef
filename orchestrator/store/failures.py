"""Why a stage stopped, as data: a class, a message, what follows from it, a record on disk.

`retries` says what the classes are and what follows from each. What it decided is recorded with the
failure, so that a later run, `apollo status` and another driver read it and decide nothing again.
"""

from __future__ import annotations

import errno
import json
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

from pydantic import JsonValue

from apollo_core.errors import StageFailed
from apollo_core.redaction import redact
from orchestrator.files import read_json_lines
from orchestrator.store.retries import (
    DISK,
    ERROR,
    INFRA,
    OOM,
    Decision,
    Then,
    decide,
    rule_of,
)

_TRACEBACK_LINES = 30
_BY_NUMBER = {
    errno.ENOSPC: DISK,
    errno.EDQUOT: DISK,
    errno.ENOMEM: OOM,
    # The machine's doing: a device or a file server that went away.
    errno.EIO: INFRA,
    errno.ESTALE: INFRA,
}
# What libraries that are no Python say in errors of their own.
_DISK_SIGNS = ("no space left on device", "disk quota exceeded")
_MEMORY_SIGNS = ("out of memory", "can't allocate memory", "cublas_status_alloc_failed")


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        failure_class: one of the module's classes.
        message: one line for a person, without credentials.
        attempt: which attempt it was, from 1.
        time: seconds since the epoch.
        traceback: its last lines; empty when there was none.
        then: when the stage is tried again; None = as its class says when no try is left.
        micro_batch: samples per forward that were too many.
        next_micro_batch: those of the next try.
    """

    failure_class: str
    message: str
    attempt: int
    time: float
    traceback: str = ""
    then: Then | None = None
    micro_batch: int | None = None
    next_micro_batch: int | None = None

    def __post_init__(self) -> None:
        if self.then is None:
            object.__setattr__(self, "then", rule_of(self.failure_class).afterwards)


def failure_of(error: BaseException, *, attempt: int) -> Failure:
    """Describe an exception as a failure."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return Failure(
        failure_class=class_of(error),
        message=one_line(error),
        attempt=attempt,
        time=time.time(),
        traceback=redact("\n".join(lines[-_TRACEBACK_LINES:])),
    )


def class_of(error: BaseException) -> str:
    """The failure class of an exception.

    Torch and Ray are recognised by name: a driver must not import them to sort failures.
    """
    if isinstance(error, StageFailed):
        return error.failure_class
    if isinstance(error, OSError) and error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    names = {kind.__name__ for kind in type(error).__mro__}
    text = str(error).lower()
    if "OutOfMemoryError" in names or isinstance(error, MemoryError):
        return OOM
    if isinstance(error, RuntimeError) and any(sign in text for sign in _MEMORY_SIGNS):
        return OOM
    return DISK if any(sign in text for sign in _DISK_SIGNS) else ERROR


def decided(
    failure: Failure, earlier: Sequence[Failure], *, micro_batch: int | None = None
) -> Failure:
    """The failure with what follows from it.

    Args:
        failure: of this attempt.
        earlier: the stage's other failures in this run.
        micro_batch: samples per forward of this attempt, where memory ran out.
    """
    classes = [each.failure_class for each in earlier]
    return _with(
        failure, decide(failure.failure_class, classes, micro_batch=micro_batch), micro_batch
    )


def given_up(failure: Failure) -> Failure:
    """The failure when there is no other try in this run."""
    return _with(failure, Decision(rule_of(failure.failure_class).afterwards), None)


def _with(failure: Failure, told: Decision, micro_batch: int | None) -> Failure:
    return replace(
        failure,
        message=_with_advice(failure, told, micro_batch),
        then=told.then,
        micro_batch=micro_batch,
        next_micro_batch=told.micro_batch,
    )


def largest_micro_batch(failures: Sequence[Failure]) -> int | None:
    """Samples per forward that a stage may try after what it met; None = as it is asked to.

    Running out of memory halves them, in later runs too, until the stage is given up: whoever asks
    for it again has mended something.
    """
    bound: int | None = None
    for failure in failures:
        if failure.failure_class == OOM:
            bound = failure.next_micro_batch
    return bound


def record(folder: Path, failure: Failure) -> None:
    """Append a failure to `failures.jsonl` in a stage's attempts folder."""
    row = {name: value for name, value in asdict(failure).items() if value not in (None, "")}
    row["class"] = row.pop("failure_class")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "failures.jsonl").open("a+b") as file:
        # A full disk may have cut the last line short: it must not swallow this one.
        file.seek(max(0, file.tell() - 1))
        start = b"" if file.read() in (b"", b"\n") else b"\n"
        file.write(start + json.dumps(row, sort_keys=True).encode() + b"\n")


def recorded(folder: Path) -> list[Failure]:
    """All failures of a stage, oldest first."""
    return [_failure(row) for row in read_json_lines(folder / "failures.jsonl")]


def stays_failed(failures: Sequence[Failure], *, retry_failed: bool) -> Failure | None:
    """The failure that keeps a new run from trying the stage again, if there is one."""
    if not failures or retry_failed or failures[-1].then != "when asked":
        return None
    return failures[-1]


def _failure(row: dict[str, JsonValue]) -> Failure:
    return Failure(
        failure_class=str(row.get("class", ERROR)),
        message=str(row.get("message", "")),
        attempt=int(str(row.get("attempt", 0))),
        time=float(str(row.get("time", 0.0))),
        traceback=str(row.get("traceback", "")),
        then=cast(Then | None, row.get("then")),  # was not always recorded
        micro_batch=_number(row.get("micro_batch")),
        next_micro_batch=_number(row.get("next_micro_batch")),
    )


def _number(value: JsonValue) -> int | None:
    return value if isinstance(value, int) else None


def _with_advice(failure: Failure, told: Decision, micro_batch: int | None) -> str:
    said = failure.message
    if failure.failure_class == OOM and micro_batch is not None:
        said = f"{said} (at micro_batch {micro_batch})"
    if told.then == "again":
        smaller = f" with micro_batch {told.micro_batch}" if told.micro_batch else ""
        return f"{said}; tried again{smaller}"
    advice = rule_of(failure.failure_class).advice
    if micro_batch is not None and micro_batch > 1:
        advice = f"lower execution.micro_batch, {advice}"
    return f"{said}: {advice}" if advice else said


def one_line(error: BaseException) -> str:
    """An exception as one line for a person, without credentials."""
    text = redact(" ".join(str(error).split()))
    if isinstance(error, StageFailed) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
