"""How an attempt at a training stage goes on from an earlier one, and what it keeps for later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager

from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import STAGE_VERSIONS, PretrainIdentity, TrainIdentity
from apollo_core.training.distributed import Peers
from apollo_core.training.fed import Fed
from apollo_core.training.stage_checkpoint import StageCheckpoints
from apollo_core.training.training_state import TrainingState


def checkpoints_of(
    identity: TrainIdentity | PretrainIdentity, context: StageContext
) -> StageCheckpoints:
    """Where the stage keeps its state, as often as `context.execution` says."""
    return StageCheckpoints(
        context.checkpoints,
        minutes=context.execution.checkpoint_minutes,
        stage=_digest(identity, context),
    )


def _digest(identity: TrainIdentity | PretrainIdentity, context: StageContext) -> str:
    """Tells this stage from others: its identity and what it starts from."""
    before = [folder.name for folder in (*context.chain, *context.parents.values())]
    told = [STAGE_VERSIONS[identity.kind], identity.model_dump(mode="json"), sorted(before)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class Resuming:
    """What an attempt takes from an earlier one, and keeps for a later one.

    The first rank alone reads and writes the file; the others are told.

    Args:
        checkpoints: the stage's.
        context: whom to report to.
        peers: the ranks, which make the same calls in the same order.

    Attributes:
        first: the step to begin with, counted from 0.
        fed: what earlier attempts fed, if one kept it.
    """

    def __init__(self, checkpoints: StageCheckpoints, context: StageContext, peers: Peers) -> None:
        self._checkpoints = checkpoints
        self._context = context
        self._peers = peers
        self._kept = checkpoints.find() if peers.is_first else None
        self._values = peers.first_says(self._kept.values if self._kept else None)
        self.first: int = self._values["state"]["step"] if self._values else 0
        fed = self._values.get("fed") if self._values else None
        self.fed = Fed.from_json(fed) if fed else None
        self._untold: dict[str, int | str] = {}
        self.tell(resumed_after=self.first, checkpoint_ignored=checkpoints.ignored)

    def tell(self, **facts: int | str) -> None:
        """Add to the first event what says how the attempt began, unless it is empty."""
        self._untold |= {name: fact for name, fact in facts.items() if fact}

    def restore(self, state: TrainingState) -> None:
        """Bring a fresh state to where the earlier attempt was."""
        if self._values:
            state.restore(self._kept.tensors if self._kept else {}, self._values["state"])
            self._kept = None  # as large as the model: not to be held for the whole stage

    @contextmanager
    def keep(self, state: TrainingState, fed: Fed | None = None) -> Iterator[None]:
        """Keep the state, and what was fed, if it is time and the block ends without an error."""
        if not self._checkpoints.keeps or not self._peers.first_says(self._checkpoints.is_due()):
            yield
            return
        tensors = state.tensors()
        if not self._peers.is_first:
            yield
            return
        values = {"state": state.values(), "fed": fed and fed.to_json()}
        with self._checkpoints.replaced(tensors, values):
            yield

    def report(self, event: Event) -> None:
        """Report; the first event also says how the attempt began.

        On every rank: that of the first is heard, those of the others say that they are alive.
        """
        began, self._untold = self._untold, {}
        self._context.report({**event, **began})

    def report_rest(self, steps: int) -> None:
        """Say how the attempt began if no step was left to say it with."""
        if self._untold:
            self.report({"step": self.first, "steps": steps})
