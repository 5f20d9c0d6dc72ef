"""Results whose bytes have changed since they were stored: found before they are used, made anew.

`Store.is_done` looks at sizes, which is all that a sweep of a thousand stages can afford at each
glance. Before a result is used its checksums are compared too: once, as long as neither size nor
time of change of a file is another than when it was last found whole. Damage that leaves both as
they were (a disk that rots in silence) is found at the first use only.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from apollo_core.errors import DamagedResult
from orchestrator.files import read_json, write_atomically
from orchestrator.store import failures, lease
from orchestrator.store.failures import Failure
from orchestrator.store.retries import DAMAGED
from orchestrator.store.store import Store

_WHOLE = "found-whole.json"


def damage_of(store: Store, key: str) -> list[str]:
    """What is wrong with a stage's result, one line a file; [] if it is done and whole."""
    signs = _signs(store, key)
    record = store.attempts_folder(key) / _WHOLE
    if signs and signs == read_json(record):
        return []
    wrong = store.verify(key)
    if signs and not wrong:
        with contextlib.suppress(OSError):  # a store that may only be read can be verified too
            write_atomically(record, json.dumps(signs), durable=False)
    return wrong


def require_whole_parents(store: Store, parents: Mapping[str, str]) -> None:
    """Verify all results that a stage reads: its parents' and those of the stages before them.

    All, although one is enough to stop it: whoever makes these anew makes them at once.

    Raises:
        DamagedResult: some are damaged, or not done any more. They count as not done from now on.
    """
    wrong = {key: found for key in _read_by(store, parents) if (found := damage_of(store, key))}
    if wrong:
        undo_damaged(store, wrong)
        told = "; ".join(line for found in wrong.values() for line in found)
        raise DamagedResult(f"what it starts from has to be made again: {told}")


def withdraw(store: Store, key: str, held: lease.Lease) -> None:
    """Make a damaged result undone, with a note among its failures; nothing if it is whole.

    Args:
        store: where it lies.
        key: of the stage.
        held: its lease: nobody publishes it meanwhile.
    """
    wrong = store.verify(key) if store.done_file(key).exists() else []
    if not wrong:
        return
    message = f"its result was damaged and is made again: {'; '.join(wrong)}"
    note = Failure(DAMAGED, message, held.epoch - 1, time.time(), then="again")
    with held.guard():
        failures.record(store.attempts_folder(key), note)
        store.done_file(key).unlink(missing_ok=True)


def undo_damaged(store: Store, keys: Iterable[str]) -> list[str]:
    """Withdraw those of these stages that are damaged and that nobody is at; return their keys."""
    found = [key for key in keys if store.done_file(key).exists() and damage_of(store, key)]
    for key in found:
        held = lease.try_acquire(store.attempts_folder(key), lease.Watch())
        if held is not None:
            try:
                withdraw(store, key, held)
            finally:
                held.release()
    return found


def _read_by(store: Store, parents: Mapping[str, str]) -> list[str]:
    """Keys of the parents, and of all that these go on from, each once."""
    found = dict.fromkeys(parents.values())
    previous = parents.get("previous")
    while previous is not None:
        found[previous] = None
        told = (store.identity(previous) or {}).get("parents")
        before = told.get("previous") if isinstance(told, dict) else None
        previous = before if isinstance(before, str) else None
    return list(found)


def _signs(store: Store, key: str) -> dict[str, JsonValue] | None:
    """Size and time of change of each file; None if one is missing or the stage is not done."""
    told = (read_json(store.done_file(key)) or {}).get("files")
    if not isinstance(told, dict):
        return None
    folder = store.stage_folder(key)
    try:
        found = {name: (folder / name).stat() for name in told}
    except OSError:
        return None
    return {name: [each.st_size, each.st_mtime_ns] for name, each in found.items()}
