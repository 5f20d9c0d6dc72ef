"""One stage as the engine sees it: everything that a worker on any machine needs to run it."""

from __future__ import annotations

from typing import Literal

from pydantic import JsonValue, NonNegativeFloat, PositiveFloat

from apollo_core.execution import Execution
from apollo_core.frozen import Frozen
from apollo_core.stages.identity import STAGE_VERSIONS, StageIdentity

Kind = Literal["pretrain", "train", "evaluate"]


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
        seconds: planned duration; only the order of work depends on it.
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
    seconds: NonNegativeFloat = 0.0

    @property
    def kind(self) -> Kind:
        """`pretrain`, `train` or `evaluate`."""
        return self.identity.kind

    def payload(self) -> dict[str, JsonValue]:
        """What is stored as `identity.json`: what the stage key was made from, readable."""
        return {
            "kind": self.kind,
            "version": STAGE_VERSIONS[self.kind],
            "identity": self.identity.model_dump(mode="json"),
            "parents": dict(self.parents),
        }
