"""How many samples a stage sends through its model at once."""

from __future__ import annotations

from apollo_core.execution import Execution
from apollo_core.stages.device import device_of, micro_batch
from apollo_core.stages.evaluate import BATCH
from apollo_core.stages.identity import EvaluateIdentity, ExternalIdentity, StageIdentity


def micro_batch_of(identity: StageIdentity, execution: Execution, *, ranks: int = 1) -> int:
    """Samples per forward of this stage here and now, `auto` resolved.

    A training step's samples are dealt out to its ranks: each has its part of them at most.
    """
    if isinstance(identity, EvaluateIdentity | ExternalIdentity):
        return micro_batch(execution, BATCH, device_of(execution))
    most = -(-identity.batch_size // ranks)
    return micro_batch(execution, most, device_of(execution))
