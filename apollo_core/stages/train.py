"""A training stage of a schedule: align, vision, sft, or any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from apollo_core.batch import Batch
from apollo_core.errors import StageFailed
from apollo_core.execution import Execution
from apollo_core.media.manifest import Sample, read_manifest
from apollo_core.model import VideoLMM
from apollo_core.stages.assembly import assemble, modules_of, save_trained
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.device import micro_batch, peak, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import STAGE_VERSIONS, TrainIdentity
from apollo_core.stages.recipes import training_recipe
from apollo_core.streams import torch_stream
from apollo_core.training.block_options import compile_blocks, recompute_activations
from apollo_core.training.fed import Fed
from apollo_core.training.feeding import Feeder
from apollo_core.training.loop import Extras, train
from apollo_core.training.mixture import Draw, draw
from apollo_core.training.model_work import WorkMeter
from apollo_core.training.packing import Prepared, attends_by_samples, prepare_attention
from apollo_core.training.stage_checkpoint import Kept, StageCheckpoints
from apollo_core.training.training_state import TrainingState

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
    device = settle(context.execution)
    _check_attention(context.execution, device)
    model, tokenizer = assemble(identity.model, identity.seed, context)
    prepared = _prepare(model.to(device), identity, context.execution)
    data = _read(identity, context)
    order = _draw(identity, data)
    checkpoints = _checkpoints(identity, context)
    kept = checkpoints.find()
    with _feeder(
        identity,
        context,
        model,
        tokenizer,
        data=data,
        order=order,
        packed=prepared.packed,
        kept=kept,
    ) as feeder:
        resume = _Resume(checkpoints, kept, feeder, context, why_padded=prepared.why_padded)
        _optimise(model, identity, context.execution, device, feeder, resume, drawn=len(order))
    save_trained(model, identity.lr.trained(), context.out)
    _leave_record(feeder.fed, context, _drawn(identity, data, order))


def _check_attention(execution: Execution, device: torch.device) -> None:
    """Refuse what would otherwise fail in the first backward, after all the work before it."""
    if execution.attention == "flex_attention" and device.type == "cpu":
        raise StageFailed(
            "execution.attention: 'flex_attention' needs a GPU and none is visible; "
            "set 'auto', 'sdpa' or 'eager'"
        )


def _prepare(model: VideoLMM, identity: TrainIdentity, execution: Execution) -> Prepared:
    """Set how the model's blocks are run. Only `packing: on` insists on packing."""
    prepared = prepare_attention(
        model.llm,
        execution.attention,
        packed=_packs(model, execution),
        required=execution.packing == "on",
    )
    if execution.compile:
        compile_blocks(model)
    if execution.activation_checkpointing:
        recompute_activations(model, vision=identity.lr.vision > 0)
    return prepared


def _packs(model: VideoLMM, execution: Execution) -> bool:
    """Whether conversations are to be packed: as asked, else where it is known to pay.

    A row that a class attends under one dense mask costs a CPU more than padding does.
    """
    if execution.packing != "auto":
        return execution.packing == "on"
    by_samples = execution.attention == "auto" and attends_by_samples(model.llm)
    return by_samples or model.llm.device.type != "cpu"


def _checkpoints(identity: TrainIdentity, context: StageContext) -> StageCheckpoints:
    return StageCheckpoints(
        context.checkpoints,
        minutes=context.execution.checkpoint_minutes,
        stage=_digest(identity, context),
    )


@contextmanager
def _feeder(
    identity: TrainIdentity,
    context: StageContext,
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    *,
    data: Data,
    order: Draw,
    packed: bool,
    kept: Kept | None,
) -> Iterator[Feeder]:
    """What feeds the stage, rehearsed; its decoders end with the block."""
    sampling, design = identity.sampling, identity.model
    with media_readers(
        context, sampling, design.integration, size=model.input_size, memory=design.memory
    ) as readers:
        feeder = Feeder(
            [[sample for own in sets for sample in own] for sets in data],
            order,
            readers=readers,
            tokenizer=tokenizer,
            tokens_per_clip=model.connector.tokens_per_clip,
            bad_media=identity.bad_media,
            longest=model.longest,
            ahead=context.execution.workers > 0,
            packed=packed,
            fed=Fed.from_json(kept.values["fed"]) if kept else None,
        )
        feeder.rehearse()
        yield feeder


def _optimise(
    model: VideoLMM,
    identity: TrainIdentity,
    execution: Execution,
    device: torch.device,
    feeder: Feeder,
    resume: _Resume,
    *,
    drawn: int,
) -> None:
    """All steps that are still to be done."""
    recipe = training_recipe(identity, steps=-(-drawn // identity.batch_size))
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
            extras=_extras(model, identity, execution, device, resume),
        )
    resume.report_rest(recipe.steps)


def _extras(
    model: VideoLMM,
    identity: TrainIdentity,
    execution: Execution,
    device: torch.device,
    resume: _Resume,
) -> Extras[Batch]:
    most = peak(execution, device, identity.precision)
    return Extras(
        resume=resume.restore,
        keep=resume.keep,
        work=WorkMeter(model, identity.lr.trained(), flops=most is not None),
        peak_flops=most,
        fused=execution.fused_optimiser,
    )


def _leave_record(fed: Fed, context: StageContext, drawn: Mapping[str, object]) -> None:
    record = {**fed.summary(context.media_root), **drawn}
    (context.out / FED).write_text(json.dumps(record, indent=2) + "\n")
    lines = (f"{line}\n" for line in fed.sampling)
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
        *,
        why_padded: str,
    ) -> None:
        self._checkpoints = checkpoints
        self._kept = kept
        self._feeder = feeder
        self._context = context
        self.first: int = kept.values["state"]["step"] if kept else 0
        told = {
            "resumed_after": self.first,
            "checkpoint_ignored": checkpoints.ignored,
            "packing_left_out": why_padded,
        }
        self._untold: dict[str, int | str] = {k: v for k, v in told.items() if v}

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
        """Report; the first event also says where and how the attempt began, and why so."""
        began, self._untold = self._untold, {}
        self._context.report({**event, **began})

    def report_rest(self, steps: int) -> None:
        """Say how the attempt began if no step was left to say it with."""
        if self._untold:
            self.report({"step": self.first, "steps": steps})


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
