"""Why a worker is gone that could say nothing itself: read from what it left behind.

An attempt notes how many processes the kernel has killed for memory so far. Whoever takes the stage
up after a worker that disappeared looks

1. for the stack that a watch wrote before it ended a stage that hung;
2. for a word of the engine, which may have been told why by the cluster (`leave_word`);
3. whether the kernel has killed for memory since, if it is the same machine.

Else the worker just went away: killed, or its machine with it.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from apollo_core.redaction import redact
from orchestrator.files import read_json, write_atomically
from orchestrator.store import lease
from orchestrator.store.failures import Failure
from orchestrator.store.retries import INFRA, OOM, STALLED

STACK = "stalled.txt"
_BEGAN = "began.json"
_WORD = "last-word.json"
_STACK_LINES = 60


def stack_of_rank(rank: int | str) -> str:
    """Name of the file, in the folder of an attempt, in which a rank that hangs tells its stack."""
    return f"stalled-{rank}.txt"


class KilledForMemory:
    """Whether the kernel has killed for memory on this machine since this was made."""

    def __init__(self) -> None:
        self._before = _killed_for_memory()

    def __bool__(self) -> bool:
        now = _killed_for_memory()
        return self._before is not None and now is not None and now > self._before


def note_beginning(work: Path) -> None:
    """Leave in the folder of an attempt what its end is later judged by."""
    told = {"machine": lease.machine(), "killed_for_memory": _killed_for_memory()}
    write_atomically(work / _BEGAN, json.dumps(told), durable=False)


def leave_word(attempts: Path, failure_class: str, message: str) -> None:
    """Say why the attempt under way at this stage ended, for who takes it up next."""
    held = lease.read_lease(attempts)
    told = {"epoch": held.epoch if held else 0, "class": failure_class, "message": redact(message)}
    write_atomically(attempts / _WORD, json.dumps(told), durable=False)


def failure_of_holder(attempts: Path, holder: lease.LeaseRecord) -> Failure:
    """The failure of an attempt whose worker disappeared with the lease in its hands."""
    name, message, stack = _cause(attempts, holder)
    return Failure(name, message, holder.epoch, time.time(), stack)


def _cause(attempts: Path, holder: lease.LeaseRecord) -> tuple[str, str, str]:
    where = holder.owner.rsplit(":", 1)[0]
    work = attempts / f"work-{holder.epoch}"
    stack = _text(work / STACK)
    if stack:
        limit = re.match(r"Timeout \(([\d:]+)", stack)
        said = f" for {limit.group(1)}" if limit else ""
        told = _stacks_of_ranks(work) or _beginning(stack)
        return STALLED, f"no step was reported{said}, and the worker {where} was ended", told
    word = read_json(attempts / _WORD) or {}
    if word.get("epoch") == holder.epoch:
        return str(word.get("class", INFRA)), str(word.get("message", "")), ""
    began = read_json(work / _BEGAN) or {}
    before, now = began.get("killed_for_memory"), _killed_for_memory()
    here = began.get("machine") == lease.machine()
    if here and isinstance(before, int) and now is not None and now > before:
        return OOM, f"the worker {where} was killed, and the kernel killed for memory meanwhile", ""
    return INFRA, f"the worker {where} went away before the stage ended", ""


def _stacks_of_ranks(work: Path) -> str:
    """What each rank of a stage was at, those alike once; "" of a stage that one process ran.

    The holder of the lease only waited for them.
    """
    alike: dict[str, list[str]] = {}
    for path in sorted(work.glob(stack_of_rank("*"))):
        stack = _beginning(re.sub(r"Thread 0x[0-9a-f]+", "Thread", _text(path)))
        if stack:
            alike.setdefault(stack, []).append(path.stem.rpartition("-")[2])
    return "\n".join(f"On rank {', '.join(ranks)}:\n{stack}" for stack, ranks in alike.items())


def _beginning(stack: str) -> str:
    return "\n".join(stack.splitlines()[:_STACK_LINES])


def _killed_for_memory() -> int | None:
    """Processes that the kernel's OOM killer has ended on this machine; None if it doesn't say."""
    found = re.search(r"^oom_kill (\d+)$", _text(Path("/proc/vmstat")), re.MULTILINE)
    return int(found.group(1)) if found else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
