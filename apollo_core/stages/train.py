"""A training stage of a schedule: align, vision, sft, or any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager

import numpy as np

from apollo_core.block_options import compile_blocks, recompute_activations
from apollo_core.fed import Fed
from apollo_core.feeding import Feeder
from apollo_core.manifest import Sample, read_manifest
from apollo_core.mixture import Draw, draw
from apollo_core.model_work import WorkMeter
from apollo_core.packing import prepare_attention
from apollo_core.stage_checkpoint import Kept, StageCheckpoints
from apollo_core.stages.assembly import assemble, modules_of, save_trained
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.device import micro_batch, packs, peak, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import STAGE_VERSIONS, TrainIdentity
from apollo_core.stages.recipes import training_recipe
from apollo_core.streams import torch_stream
from apollo_core.training import Extras, train
from apollo_core.training_state import TrainingState

FED = "fed.json"
SAMPLING = "sampling.jsonl"

# The samples of each set of each share.
Data = Sequence[Sequence[Sequence[Sample]]]


def run_train(identity: TrainIdentity, context: StageContext) -> None:
    """Train; leave what was trained, and a record of what was fed and how it was sampled.

    An attempt goes on where the last checkpoint of an earlier one was made, and ends with the same
    bits as one that was not interrupted, as long as `context.execution` is the same.

    Raises:
        StageFailed: data that cannot be used, a loss that is not finite, a lease that was lost.
    """
    execution = context.execution
    device = settle(execution)
    model, tokenizer = assemble(identity.model, identity.seed, context)
    model.to(device)
    packed = packs(execution, device)
    prepare_attention(model.llm, execution.attention, packed=packed)
    if execution.compile:
        compile_blocks(model)
    if execution.activation_checkpointing:
        recompute_activations(model, vision=identity.lr.vision > 0)
    data = _read(identity, context)
    order = _draw(identity, data)
    recipe = training_recipe(identity, steps=-(-len(order) // identity.batch_size))
    checkpoints = StageCheckpoints(
        context.checkpoints,
        minutes=execution.checkpoint_minutes,
        stage=_digest(identity, context),
    )
    kept = checkpoints.find()
    most = peak(execution, device, identity.precision)
    design = identity.model
    with media_readers(
        context,
        identity.sampling,
        design.integration,
        size=model.input_size,
        memory=design.memory,
    ) as readers:
        feeder = Feeder(
            [[sample for own in sets for sample in own] for sets in data],
            order,
            readers=readers,
            tokenizer=tokenizer,
            tokens_per_clip=model.connector.tokens_per_clip,
            bad_media=identity.bad_media,
            longest=model.longest,
            ahead=execution.workers > 0,
            packed=packed,
            fed=Fed.from_json(kept.values["fed"]) if kept else None,
        )
        feeder.rehearse()
        resume = _Resume(checkpoints, kept, feeder, context)
        size = micro_batch(execution, identity.batch_size, device)
        with (
            # Closed before the decoders: a stage that fails must not go on reading.
            closing(feeder.batches(identity.batch_size, size, first=resume.first)) as batches,
            torch_stream(identity.seed, "dropout"),
        ):
            train(
                modules_of(model),
                model.loss,
                batches,
                recipe,
                device=device,
                report=resume.report,
                extras=Extras(
                    resume=resume.restore,
                    keep=resume.keep,
                    work=WorkMeter(model, identity.lr.trained(), flops=most is not None),
                    peak_flops=most,
                    fused=execution.fused_optimiser,
                ),
            )
    save_trained(model, identity.lr.trained(), context.out)
    record = feeder.fed.summary(context.media_root) | _drawn(identity, data, order)
    (context.out / FED).write_text(json.dumps(record, indent=2) + "\n")
    lines = (f"{line}\n" for line in feeder.fed.sampling)
    (context.out / SAMPLING).write_text("".join(lines), encoding="utf-8")


class _Resume:
    """What an attempt takes from an earlier one, and keeps for a later one.

    `first` is the step to begin with, counted from 0.
    """

    def __init__(
        self,
        checkpoints: StageCheckpoints,
        kept: Kept | None,
        feeder: Feeder,
        context: StageContext,
    ) -> None:
        self._checkpoints = checkpoints
        self._kept = kept
        self._feeder = feeder
        self._context = context
        self._told = False
        self.first: int = kept.values["state"]["step"] if kept else 0

    def restore(self, state: TrainingState) -> None:
        """Bring a fresh state to where the earlier attempt was."""
        if self._kept:
            state.restore(self._kept.tensors, self._kept.values["state"])
            self._kept = None  # as large as the model: not to be held for the whole stage

    @contextmanager
    def keep(self, state: TrainingState) -> Iterator[None]:
        """Keep the state if it is time, once the block has ended without an error."""
        if not self._checkpoints.is_due():
            yield
            return
        values = {"state": state.values(), "fed": self._feeder.fed.to_json()}
        with self._checkpoints.replaced(state.tensors(), values):
            yield

    def report(self, event: Event) -> None:
        """Report; the first event also says where the attempt began, and why there."""
        began: dict[str, int | str] = {}
        if not self._told and self.first:
            began["resumed_after"] = self.first
        if not self._told and self._checkpoints.ignored:
            began["checkpoint_ignored"] = self._checkpoints.ignored
        self._told = True
        self._context.report({**event, **began})


def _digest(identity: TrainIdentity, context: StageContext) -> str:
    """Tells this stage from others: its identity and what it starts from."""
    before = [folder.name for folder in (*context.chain, *context.parents.values())]
    told = [STAGE_VERSIONS["train"], identity.model_dump(mode="json"), sorted(before)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _read(identity: TrainIdentity, context: StageContext) -> Data:
    return [
        [read_manifest(context.locations[fingerprint]) for fingerprint in share.sets]
        for share in identity.data
    ]


def _draw(identity: TrainIdentity, data: Data) -> Draw:
    return draw(
        [share.share for share in identity.data],
        [sum(map(len, sets)) for sets in data],
        samples=identity.samples,
        seed=identity.seed,
        names=[" ".join(share.sets) for share in identity.data],
        exhausted=identity.exhausted,
    )


def _drawn(identity: TrainIdentity, data: Data, order: Draw) -> dict[str, object]:
    """How often each set was gone through, and whether its end ended the stage."""
    told: list[dict[str, object]] = []
    for index, (share, sets) in enumerate(zip(identity.data, data, strict=True)):
        rows = order.row[order.share == index]
        borders = np.cumsum([0, *map(len, sets)])
        counts, _ = np.histogram(rows, borders)
        for name, own, count in zip(share.sets, sets, counts.tolist(), strict=True):
            epochs = round(count / max(1, len(own)), 6)
            told.append({"set": name, "size": len(own), "drawn": count, "epochs": epochs})
    return {"ended_early": len(order) < identity.samples, "drawn": len(order), "sets": told}
