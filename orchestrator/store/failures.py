"""Why a stage stopped, as data: a class that decides on retries, a message, a record on disk.

Classes: `data`, `diverged`, `oom`, `lease`, `error` and `infra` (the worker or its machine went
away). Only `infra` is tried again by itself; the others would fail the same way.
"""

from __future__ import annotations

import errno
import json
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from apollo_core.errors import StageFailed
from orchestrator.files import read_json_lines
from orchestrator.redaction import redact

INFRA = "infra"
INFRA_RETRIES = 3

_TRACEBACK_LINES = 30
# The machine's doing, not the stage's: a full disk, a quota, a server that went away.
_MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        failure_class: one of the module's classes.
        message: one line for a person, without credentials.
        attempt: which attempt it was, from 1.
        time: seconds since the epoch.
        traceback: its last lines; empty when there was none.
    """

    failure_class: str
    message: str
    attempt: int
    time: float
    traceback: str = ""


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

    Torch is recognised by name: a driver must not import it to sort failures.
    """
    if isinstance(error, StageFailed):
        return error.failure_class
    if isinstance(error, OSError) and error.errno in _MACHINE_ERRORS:
        return INFRA
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, MemoryError) or "OutOfMemoryError" in names:
        return "oom"
    text = str(error).lower()
    if isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate" in text):
        return "oom"
    return "error"


def record(folder: Path, failure: Failure) -> None:
    """Append a failure to `failures.jsonl` in a stage's attempts folder."""
    row = asdict(failure)
    row["class"] = row.pop("failure_class")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "failures.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, sort_keys=True) + "\n")


def recorded(folder: Path) -> list[Failure]:
    """All failures of a stage, oldest first."""
    return [
        Failure(
            failure_class=str(row.get("class", "error")),
            message=str(row.get("message", "")),
            attempt=int(str(row.get("attempt", 0))),
            time=float(str(row.get("time", 0.0))),
            traceback=str(row.get("traceback", "")),
        )
        for row in read_json_lines(folder / "failures.jsonl")
    ]


def stays_failed(failures: list[Failure], *, retry_failed: bool) -> Failure | None:
    """The failure that keeps a new run from trying the stage again, if there is one."""
    if not failures or retry_failed or failures[-1].failure_class in (INFRA, "lease"):
        return None
    return failures[-1]


def one_line(error: BaseException) -> str:
    """An exception as one line for a person, without credentials."""
    text = redact(" ".join(str(error).split()))
    if isinstance(error, StageFailed) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
