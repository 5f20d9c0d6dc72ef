"""A stage that only takes time, in a module that workers can import."""

from __future__ import annotations

import time

from apollo_core.execution import Execution
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import Part, PretrainIdentity, StageIdentity
from orchestrator.engine.task import StageTask


def sleeping_stage(identity: StageIdentity, context: StageContext) -> None:
    """Take as many seconds as the identity's learning rate says, and leave one file."""
    assert isinstance(identity, PretrainIdentity)
    context.report({"step": 1, "steps": 1})
    time.sleep(identity.lr - 1e-9)
    (context.out / "slept.txt").write_text(f"{identity.lr}")


def sleeping_task(store: str, number: int, seconds: float) -> StageTask:
    """The stage of this number, without parents."""
    return StageTask(
        key=f"{number:064x}",
        label=f"{number}",
        identity=PretrainIdentity(
            part=Part(family="causal-lm", fingerprint=f"{number}"),
            corpus="none",
            seed=0,
            samples=1,
            batch_size=1,
            lr=seconds + 1e-9,
        ),
        parents={},
        locations={},
        execution=Execution(),
        media_root="",
        store=store,
        seconds=seconds,
    )
