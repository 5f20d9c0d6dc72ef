"""Evaluate on one benchmark, in each of its regimes; one row per item and regime."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from apollo_core.media.manifest import Item, read_questions
from apollo_core.media.reader import Shown
from apollo_core.scoring.answering import answer
from apollo_core.scoring.asked_orders import Answer
from apollo_core.stages.assembly import assemble, modules_of
from apollo_core.stages.benchmark_answers import answer_benchmark
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import EvaluateIdentity
from apollo_core.training.distributed import Peers, joined
from apollo_core.training.loop import set_trainable

# Rows in one forward; on a CPU more are no faster. `execution.micro_batch` bounds it.
BATCH = 16


def run_evaluate(identity: EvaluateIdentity, context: StageContext) -> None:
    """Answer every item in every regime.

    Leaves `items.jsonl`, one row per item and regime; `scoring.json`, how answers were got and the
    share that could not be read; `letter_bias.json`, by regime (`apollo_core.scoring.letter_bias`);
    `sampling.jsonl`, how each video was really sampled; `skipped.json`, what was not
    asked and why: videos, and questions of a public file that have no right answer.

    Raises:
        DecodeFailed: a video cannot be read and `bad_media` is `stop`; with `skip` its items are
            left out of every regime, so that regimes stay comparable, and `skipped.json` names it.
        BadData: with `skip`, too many items are left out; a question is too long for the model.
        Diverged: the model's likelihoods are not finite.
    """
    device = settle(context.execution)
    with joined(context.seat, device) as peers:
        _evaluate(identity, context, peers)


def _evaluate(identity: EvaluateIdentity, context: StageContext, peers: Peers) -> None:
    device = peers.device
    model, tokenizer = assemble(identity.model, identity.seed, context)
    set_trainable(modules_of(model), ())
    model.to(device)
    asked = read_questions(context.locations[identity.benchmark], identity.format)
    size = micro_batch(context.execution, BATCH, device)

    def ask(about: Sequence[Item], shown: Shown | None) -> list[Answer]:
        return answer(
            model,
            tokenizer,
            about,
            shown,
            scoring=identity.scoring,
            prompt=identity.prompt,
            rotations=identity.rotations,
            micro_batch=size,
        )

    half = identity.precision == "bfloat16"
    with (
        media_readers(
            context,
            identity.sampling,
            identity.model.integration,
            size=model.input_size,
            memory=identity.model.memory,
            frozen=model,
            decoder=identity.decoder,
        ) as readers,
        torch.autocast(device.type, torch.bfloat16, enabled=half),
    ):
        answer_benchmark(asked, readers, ask, identity, context, peers)
