"""A stage that several processes run together, as the process that holds its lease sees them.

The processes are the stage's *ranks*. Each runs the same stage function with its own seat
(`StageContext.seat`). The holder of the lease runs none of them: it takes the first rank's reports,
one at a time, writes them down and asks for the lease, and so a lost lease ends every rank. It ends
them too when one of them fails or dies; none is left behind, and none waits for another for ever.

An engine brings the processes (`Gang`); what is said between them is here.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from apollo_core.errors import StageFailed
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import StageIdentity
from apollo_core.stages.seat import Seat
from orchestrator.engine.attempt import RunStage
from orchestrator.engine.stall_watch import stall_watch
from orchestrator.store import cause_of_death, failures
from orchestrator.store.retries import OOM

# Part of `execution.stall_minutes` after which a rank that has not reported tells its stack: before
# the process that holds the lease ends it, which began to wait before there was a rank.
_BEFORE_THE_END = 0.5
# Seconds in which another rank may say why it failed, after one lost its connection to it.
_GRACE = 10.0


@dataclass(frozen=True)
class Job:
    """A rank's part in a stage. `context` comes without a `report` of its own."""

    run_stage: RunStage
    identity: StageIdentity
    context: StageContext


@dataclass(frozen=True)
class Told:
    """The first rank reports, and waits until it is asked for its next message."""

    event: Event


@dataclass(frozen=True)
class Ended:
    """A rank is through."""


@dataclass(frozen=True)
class Broke:
    """A rank failed.

    Attributes:
        failure_class, message, trace: of its error.
        follows: whether it only lost its connection to another, which is the one that failed.
    """

    failure_class: str
    message: str
    trace: str
    follows: bool


@dataclass(frozen=True)
class Gone:
    """A rank's process died.

    Attributes:
        how: for a person.
        failure_class: where it is known, of whose doing that was.
    """

    how: str
    failure_class: str = failures.INFRA

    def or_memory(self, killed: cause_of_death.KilledForMemory) -> Gone:
        """The same, told from what the kernel did on the rank's machine meanwhile."""
        if self.failure_class != failures.INFRA or not killed:
            return self
        return Gone(f"{self.how}, and the kernel killed for memory meanwhile", OOM)


Message = Told | Ended | Broke | Gone


class Gang(Protocol):
    """Processes that wait for work; after a stage that went well they wait for the next."""

    @property
    def size(self) -> int:
        """How many there are."""
        ...

    def start(self, jobs: Sequence[Job]) -> None:
        """Give each rank its part."""
        ...

    def next(self, timeout: float | None) -> tuple[int, Message] | None:
        """The next message and the rank that it is from; None after `timeout` seconds.

        The rank whose report was given last goes on when this is called.
        """
        ...

    def stop(self) -> None:
        """End every process at once, whatever it is at; the gang is of no use afterwards."""
        ...


class RankFailed(StageFailed):
    """A stage stopped since one of its ranks did; its failure class is that rank's."""

    def __init__(self, rank: int, size: int, failure_class: str, message: str) -> None:
        super().__init__(rank, size, failure_class, message)
        self.failure_class = failure_class

    def __str__(self) -> str:
        rank, size, _, message = self.args
        return f"rank {rank} of {size}: {message}"


def in_gang(run_stage: RunStage, gang: Callable[[], Gang]) -> RunStage:
    """The same stage, run by all ranks of a gang.

    Args:
        run_stage: what each rank runs.
        gang: gives one whose processes are alive.
    """

    def run(identity: StageIdentity, context: StageContext) -> None:
        ranks = gang()
        meeting = context.out.parent / f"meeting-{secrets.token_hex(8)}"
        seats = [Seat(rank, ranks.size, meeting) for rank in range(ranks.size)]
        unheard = replace(context, report=_unheard)
        try:
            ranks.start([Job(run_stage, identity, replace(unheard, seat=seat)) for seat in seats])
            _listen(ranks, context.report)
        except BaseException:
            ranks.stop()
            raise
        finally:
            meeting.unlink(missing_ok=True)

    return run


def run_job(job: Job, report: Callable[[Event], None]) -> Ended | Broke:
    """Run a rank's part, in its own process; only the first rank's reports go further."""
    try:
        _run_part(job, report if job.context.seat.rank == 0 else _unheard)
    except Exception as error:
        return Broke(
            failures.class_of(error),
            failures.one_line(error),
            "".join(traceback.format_exception(error)),
            follows=_follows(error),
        )
    return Ended()


def _run_part(job: Job, heard: Callable[[Event], None]) -> None:
    """Run it; should the stage hang, the stack of each rank is left to who asks why it did.

    The process that holds the lease ends the stage. A rank tells its stack before that.
    """
    seat, work = job.context.seat, job.context.out.parent
    soon = job.context.execution.stall_minutes * _BEFORE_THE_END
    with stall_watch(soon, work / cause_of_death.stack_of_rank(seat.rank), end=False) as alive:

        def report(event: Event) -> None:
            alive()
            heard(event)

        job.run_stage(job.identity, replace(job.context, report=report))


def _unheard(_: Event) -> None:
    """Instead of a report: there is one for a stage and not one for each rank."""


def _listen(gang: Gang, report: Callable[[Event], None]) -> None:
    """Take messages until all ranks are through.

    Raises:
        RankFailed: one is not, and never will be.
    """
    left = set(range(gang.size))
    broken: dict[int, Broke] = {}
    while left:
        arrived = gang.next(_GRACE if broken else None)
        if arrived is None:
            break
        rank, message = arrived
        match message:
            case Told(event):
                if not broken:
                    report(event)
            case Ended():
                left.discard(rank)
            case Broke(follows=True):
                left.discard(rank)
                broken[rank] = message
            case _:
                raise _failed(rank, gang.size, message)
    for rank, message in sorted(broken.items()):
        raise _failed(rank, gang.size, message)


def _failed(rank: int, size: int, message: Broke | Gone) -> RankFailed:
    if isinstance(message, Gone):
        said = f"its process went away ({message.how})"
        return RankFailed(rank, size, message.failure_class, said)
    # To lose a connection for no other rank's reason is the network's doing.
    kind = failures.INFRA if message.follows else message.failure_class
    error = RankFailed(rank, size, kind, message.message)
    error.add_note(f"On rank {rank}:\n{message.trace}")
    return error


def _follows(error: BaseException) -> bool:
    """Whether an error says no more than that another rank does not answer.

    gloo raises a plain RuntimeError; what else comes out of torch's own communication is named so.
    """
    names = {kind.__name__ for kind in type(error).__mro__}
    if "DistError" in names:
        return True
    frames = traceback.extract_tb(error.__traceback__)
    innermost = frames[-1].filename.replace("\\", "/") if frames else ""
    return type(error) is RuntimeError and "/torch/distributed/" in innermost
