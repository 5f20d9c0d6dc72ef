"""A training stage of a schedule: align, vision, sft, or any other."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from apollo_core.batch import Batch
from apollo_core.errors import StageFailed
from apollo_core.execution import Execution
from apollo_core.model import VideoLMM
from apollo_core.stages.assembly import assemble, modules_of, save_trained
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch, peak, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import TrainIdentity
from apollo_core.stages.recipes import training_recipe
from apollo_core.stages.resuming import Resuming, checkpoints_of
from apollo_core.stages.training_sets import read_set
from apollo_core.streams import torch_stream
from apollo_core.training.block_options import compile_blocks, recompute_activations
from apollo_core.training.distributed import Peers, joined
from apollo_core.training.distributed_fed import FedTogether
from apollo_core.training.distributed_model import idle_batch, shard_language_model
from apollo_core.training.fed import Fed
from apollo_core.training.feeding import Feeder
from apollo_core.training.loop import Extras, train
from apollo_core.training.mixture import Draw, draw
from apollo_core.training.model_work import WorkMeter
from apollo_core.training.packing import Prepared, attends_by_samples, prepare_attention
from apollo_core.training_files.conversations import Conversations, Joined

FED = "fed.json"
SAMPLING = "sampling.jsonl"

# The sets of each share.
Data = Sequence[Sequence[Conversations]]


def run_train(identity: TrainIdentity, context: StageContext) -> None:
    """Train; leave what was trained, and a record of what was fed and how it was sampled.

    An attempt goes on where the last checkpoint of an earlier one was made, and ends with the same
    bits as one that was not interrupted, as long as `context.execution` is the same.

    Raises:
        StageFailed: data that cannot be used, a loss that is not finite, a lease that was lost.
    """
    device = settle(context.execution)
    _check_attention(context.execution, device)
    with joined(context.seat, device) as peers:
        _train(identity, context, peers)


def _train(identity: TrainIdentity, context: StageContext, peers: Peers) -> None:
    model, tokenizer = assemble(identity.model, identity.seed, context)
    prepared = _prepare(model.to(peers.device), identity, context.execution)
    sharded = peers.size > 1 and context.execution.sharding == "fsdp"
    if sharded:
        shard_language_model(model, peers)
    data = _read(identity, context)
    order = _draw(identity, data)
    resuming = Resuming(checkpoints_of(identity, context), context, peers)
    resuming.tell(packing_left_out=prepared.why_padded)
    fed = FedTogether(resuming.fed or Fed([0] * len(data)), peers)
    with _feeder(
        identity,
        context,
        model,
        tokenizer,
        data=data,
        order=order,
        packed=prepared.packed,
        fed=fed,
    ) as feeder:
        idle = idle_batch(packed=prepared.packed) if sharded else None
        extras = _extras(model, identity, context.execution, resuming, fed, peers, idle)
        _optimise(model, identity, context, feeder, resuming, extras, drawn=len(order))
    save_trained(model, identity.lr.trained(), context.out, peers)
    if peers.is_first:
        _leave_record(fed, context, _drawn(identity, data, order))


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
    fed: Fed,
) -> Iterator[Feeder]:
    """What feeds the stage, rehearsed; its decoders end with the block."""
    sampling, design = identity.sampling, identity.model
    with media_readers(
        context,
        sampling,
        design.integration,
        size=model.input_size,
        memory=design.memory,
        frozen=None if identity.lr.vision > 0 else model,
        decoder=identity.decoder,
    ) as readers:
        feeder = Feeder(
            [Joined(sets) for sets in data],
            order,
            readers=readers,
            tokenizer=tokenizer,
            tokens_per_clip=model.connector.tokens_per_clip,
            bad_media=identity.bad_media,
            most_skipped=identity.most_skipped,
            longest=model.longest,
            ahead=context.execution.workers > 0,
            packed=packed,
            fed=fed,
            seat=context.seat,
        )
        feeder.rehearse()
        yield feeder


def _optimise(
    model: VideoLMM,
    identity: TrainIdentity,
    context: StageContext,
    feeder: Feeder,
    resuming: Resuming,
    extras: Extras[Batch],
    *,
    drawn: int,
) -> None:
    """All steps that are still to be done."""
    device = extras.peers.device
    recipe = training_recipe(identity, steps=-(-drawn // identity.batch_size))
    size = micro_batch(context.execution, identity.batch_size, device)
    # A stream for each rank: what one drops says nothing of what another does.
    purpose = "dropout" if extras.peers.is_first else f"dropout of rank {extras.peers.rank}"
    with (
        # Closed before the decoders: a stage that fails must not go on reading.
        closing(feeder.batches(identity.batch_size, size, first=resuming.first)) as batches,
        torch_stream(identity.seed, purpose),
    ):
        train(
            modules_of(model),
            model.loss,
            batches,
            recipe,
            device=device,
            report=resuming.report,
            extras=extras,
        )
    resuming.report_rest(recipe.steps)


def _extras(
    model: VideoLMM,
    identity: TrainIdentity,
    execution: Execution,
    resuming: Resuming,
    fed: FedTogether,
    peers: Peers,
    idle: Batch | None,
) -> Extras[Batch]:
    most = peak(execution, peers.device, identity.precision)
    # What a connector that reads the question costs cannot be tried without the whole embeddings.
    countable = idle is None or not model.connector.conditioned
    return Extras(
        resume=resuming.restore,
        keep=lambda state: resuming.keep(state, fed),
        read=fed.settle,
        work=WorkMeter(model, identity.lr.trained(), flops=most is not None and countable),
        peak_flops=most and most * peers.size,
        fused=execution.fused_optimiser,
        lost_above=execution.diverged_above,
        peers=peers,
        idle=idle,
    )


def _leave_record(fed: Fed, context: StageContext, drawn: Mapping[str, object]) -> None:
    record = {**fed.summary(context.media_root), **drawn}
    (context.out / FED).write_text(json.dumps(record, indent=2) + "\n")
    lines = (f"{line}\n" for line in fed.sampling)
    (context.out / SAMPLING).write_text("".join(lines), encoding="utf-8")


def _read(identity: TrainIdentity, context: StageContext) -> Data:
    return [[read_set(name, context) for name in share.sets] for share in identity.data]


def _draw(identity: TrainIdentity, data: Data) -> Draw:
    return draw(
        [share.share for share in identity.data],
        [sum(map(len, sets)) for sets in data],
        samples=identity.samples,
        seed=identity.seed,
        names=[" ".join(share.sets) for share in identity.data],
        exhausted=identity.exhausted,
        blocks=[Joined(sets).blocks for sets in data],
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
