"""Evaluate a model of somebody else on one benchmark: same questions, same frames, same rules."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import torch

from apollo_core.external.answering import answer_externally
from apollo_core.external.loading import load_external
from apollo_core.external.whole_frames import Seen, WholeFrameReader
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import Item, read_questions
from apollo_core.media.reader import Shown
from apollo_core.scoring.asked_orders import Answer
from apollo_core.stages.benchmark_answers import answer_benchmark
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch, settle
from apollo_core.stages.evaluate import BATCH
from apollo_core.stages.frames import frame_cache
from apollo_core.stages.identity import ExternalIdentity
from apollo_core.training.distributed import joined


def run_external(identity: ExternalIdentity, context: StageContext) -> None:
    """Answer every item in every regime, and leave what `run_evaluate` leaves.

    Raises:
        BadInput: no such model or processor.
        BadData: weights that are not the model's, frames that its processor refuses, a question
            that is too long; media as in `run_evaluate`.
        Diverged: the model's likelihoods are not finite.
    """
    device = settle(context.execution)
    with joined(context.seat, device) as peers, ExitStack() as stack:
        folder = context.locations[identity.model.fingerprint]
        external = load_external(folder, frames_as=identity.frames_as, device=peers.device)
        asked = read_questions(context.locations[identity.benchmark], identity.format)
        size = micro_batch(context.execution, BATCH, peers.device)

        def ask(about: Sequence[Item], shown: Shown | None) -> list[Answer]:
            assert shown is None or isinstance(shown, Seen)
            return answer_externally(
                external,
                about,
                shown,
                scoring=identity.scoring,
                prompt=identity.prompt,
                rotations=identity.rotations,
                micro_batch=size,
            )

        readers = [_reader(identity, context, stack) for _ in range(_decoders(context))]
        half = identity.precision == "bfloat16"
        stack.enter_context(torch.autocast(peers.device.type, torch.bfloat16, enabled=half))
        answer_benchmark(asked, readers, ask, identity, context, peers)


def _decoders(context: StageContext) -> int:
    return max(1, context.execution.workers)


def _reader(
    identity: ExternalIdentity, context: StageContext, stack: ExitStack
) -> WholeFrameReader:
    execution = context.execution
    decoder = Decoder(
        deadline_s=execution.decode_deadline_s,
        cache=frame_cache(execution),
        decoder=identity.decoder,
    )
    return WholeFrameReader(
        stack.enter_context(decoder),
        context.media_root,
        identity.sampling,
        "plain",
        identity.frame_side,
    )
