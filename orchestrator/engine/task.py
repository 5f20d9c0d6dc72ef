"""One stage as the engine sees it: everything that a worker on any machine needs to run it."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import JsonValue, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from apollo_core.execution import Execution
from apollo_core.features.feature_use import FeatureUse
from apollo_core.frozen import Frozen
from apollo_core.stages.identity import StageIdentity
from orchestrator.canonical import canonical
from orchestrator.cost.memory import StageMemory
from orchestrator.cost.planned_memory import is_fitted
from orchestrator.plan.plan import Plan, StageNode, stage_payload
from orchestrator.store.store import Store

Kind = Literal["pretrain", "train", "evaluate", "external"]


class StageTask(Frozen):
    """A stage of the graph, ready to be handed out; pickles and turns into JSON and back.

    Attributes:
        key: the stage key.
        label: what a person calls it ("align", "sft", "evaluate bench").
        identity: what it computes.
        parents: role -> key of a parent.
        locations: fingerprint -> where it lies (see `StageContext.locations`).
        execution: where and how fast.
        media_root: folder that media paths are relative to.
        store: folder of the store.
        cpus, gpus: what it holds while it runs.
        processes: how many run it together, each with an equal part of that.
        memory: planned bytes on each GPU; 0 = not known.
        features: what it may keep and read of frozen encoders' features; None = nothing.
        seconds: planned duration; only the order of work depends on it.
        failures_before: attempts that had failed when the run began; a failure beyond these is
            another driver's in this run.
    """

    key: str
    label: str
    identity: StageIdentity
    parents: dict[str, str]
    locations: dict[str, str]
    execution: Execution
    media_root: str
    store: str
    cpus: PositiveFloat = 1.0
    gpus: NonNegativeFloat = 0.0
    processes: PositiveInt = 1
    memory: NonNegativeFloat = 0.0
    features: FeatureUse | None = None
    seconds: NonNegativeFloat = 0.0
    failures_before: NonNegativeInt = 0

    @property
    def kind(self) -> Kind:
        """`pretrain`, `train`, `evaluate` or `external`."""
        return self.identity.kind

    def payload(self) -> dict[str, JsonValue]:
        """What the stage key hashes, stored as `identity.json`."""
        return json.loads(canonical(stage_payload(self.identity, self.parents)))


def task_of(
    node: StageNode,
    plan: Plan,
    store: Store,
    *,
    seconds: float,
    features: FeatureUse | None = None,
    memory: StageMemory | None = None,
) -> StageTask:
    """A planned stage as work to hand out.

    Args:
        node, plan, store: the stage, and where it belongs.
        seconds: how long it is planned to take.
        features: what it may keep and read of frozen encoders' features.
        memory: planned for each of its GPUs; decides what `auto` is of `sharding`, and of
            `micro_batch` on a GPU.
    """
    execution = plan.sweep.execution.execution
    if memory is not None and node.processes > 1 and execution.sharding == "auto":
        execution = execution.model_copy(update={"sharding": memory.sharding})
    if memory is not None and memory.total and is_fitted(node, execution):
        execution = execution.model_copy(update={"micro_batch": memory.micro_batch})
    return StageTask(
        key=node.key,
        label=node.label,
        identity=node.identity,
        parents=dict(node.parents),
        locations=dict(node.locations),
        execution=execution,
        media_root=str(plan.media_root),
        store=str(store.root),
        cpus=node.cpus,
        gpus=node.gpus,
        processes=node.processes,
        memory=float(memory.total) if memory is not None and node.gpus > 0 else 0.0,
        features=features,
        seconds=seconds,
        failures_before=len(store.failures(node.key)),
    )
