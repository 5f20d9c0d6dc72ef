"""Many stages at once, to or from an object store; what fails of one stops no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from orchestrator.exchange.done import DamagedError
from orchestrator.store import failures

State = Literal["moved", "there", "absent", "busy", "failed"]
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Moved:
    """What became of one stage, and the bytes that went over the network for it."""

    state: State
    bytes: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What became of every stage: `moved` now, `there` before, `absent` at the source, `busy` (a
    driver is at work on it here), or `failed` with its problem.
    """

    stages: dict[str, Moved] = field(default_factory=dict[str, Moved])

    @property
    def problems(self) -> dict[str, str]:
        """Key -> what went wrong."""
        return {key: moved.problem for key, moved in self.stages.items() if moved.problem}

    @property
    def bytes(self) -> int:
        """Bytes that were moved."""
        return sum(moved.bytes for moved in self.stages.values())

    def count(self, state: State) -> int:
        """Number of stages that ended so."""
        return Counter(moved.state for moved in self.stages.values())[state]

    def document(self, sweep: str, url: str) -> dict[str, JsonValue]:
        """For `--json`."""
        states: tuple[State, ...] = ("moved", "there", "absent", "busy", "failed")
        return {
            "name": sweep,
            "url": url,
            "stages": {state: self.count(state) for state in states},
            "bytes": self.bytes,
            "problems": [
                {"key": key, "message": problem} for key, problem in self.problems.items()
            ],
        }


def move_all(
    keys: Iterable[str],
    move: Callable[[str], Moved],
    *,
    workers: int,
    on_progress: OnProgress,
) -> Report:
    """Move every stage by `move`, `workers` at a time.

    Raises:
        BadInput: the other side refuses all of it (no such bucket, no access); what is under way
            ends, the rest is not begun.
    """
    wanted = list(keys)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = {pool.submit(_told, move, key): key for key in wanted}
        try:
            found = _gather(futures, on_progress)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return Report({key: found[key] for key in wanted})


def _gather(futures: dict[Future[Moved], str], on_progress: OnProgress) -> dict[str, Moved]:
    found: dict[str, Moved] = {}
    for future in as_completed(futures):
        found[futures[future]] = future.result()
        on_progress(len(found), len(futures))
    return found


def _told(move: Callable[[str], Moved], key: str) -> Moved:
    try:
        return move(key)
    except DamagedError as error:
        return Moved("failed", problem=str(error))
    except (OSError, TimeoutError) as error:
        return Moved("failed", problem=failures.one_line(error))
