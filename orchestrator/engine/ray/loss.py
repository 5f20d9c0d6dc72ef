"""What the end of a worker means, from what Ray says about it."""

from __future__ import annotations

from dataclasses import dataclass

from apollo_core.redaction import redact
from orchestrator.store import failures
from orchestrator.store.retries import INFRA, OOM, PREEMPTED

# Ray's own words, which carry no type (ray 2.60: core_worker, memory_monitor, gcs_actor_manager).
_ASKED_TO_STOP = "receives a SIGTERM"
_LOW_ON_MEMORY = "running low on memory"
_MACHINE_GONE = ("node was terminated", "node is dead", "its node has died", "node died")
_WENT_AWAY = "its worker went away (killed, out of memory, or its machine lost)"


@dataclass(frozen=True)
class Loss:
    """The end of a worker that could not finish its stage.

    Attributes:
        failure_class: "" where Ray knows nothing that what the worker left behind does not tell.
        message: one line for a person.
        is_final: another worker would end in the same way.
    """

    failure_class: str
    message: str
    is_final: bool = False

    @property
    def counts(self) -> bool:
        """Whether it says anything against the stage or its workers."""
        return self.failure_class != PREEMPTED


def loss_of(error: BaseException | None) -> Loss:
    """What Ray's exception tells."""
    from ray.exceptions import RayActorError

    if error is None:
        return Loss("", _WENT_AWAY)
    said = failures.one_line(error)
    if not isinstance(error, RayActorError):
        return Loss(failures.class_of(error), said, is_final=True)
    if error.actor_init_failed:
        # The rest is how Ray came to call it; the last line is what went wrong.
        cause = redact(str(error).strip().splitlines()[-1].strip())
        return Loss(INFRA, f"its worker could not start: {cause}", is_final=True)
    if error.preempted:
        return Loss(PREEMPTED, "its machine was taken back")
    if _ASKED_TO_STOP in said:
        return Loss(PREEMPTED, "its worker was asked to stop (SIGTERM)")
    if _LOW_ON_MEMORY in said:
        return Loss(OOM, "Ray ended its worker, since the machine ran low on memory")
    if any(sign in said for sign in _MACHINE_GONE):
        return Loss(INFRA, "its machine went away")
    return Loss("", _WENT_AWAY)
