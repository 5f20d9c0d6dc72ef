"""Evaluate on one benchmark, in each of its regimes; one row per item and regime."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice

import torch
from transformers import PreTrainedTokenizerBase

from apollo_core.errors import BadData, DecodeFailed
from apollo_core.feeding import MOST_SKIPPED
from apollo_core.manifest import Item, read_benchmark
from apollo_core.media import MediaReader, Shown
from apollo_core.model import VideoLMM
from apollo_core.scoring import LETTERS, Question, score
from apollo_core.stages.assembly import assemble, modules_of
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import EvaluateIdentity, Regime
from apollo_core.training import set_trainable

ITEMS = "items.jsonl"
# Questions in one forward; on a CPU more are no faster. `execution.micro_batch` bounds it.
BATCH = 16


def run_evaluate(identity: EvaluateIdentity, context: StageContext) -> None:
    """Score every item in every regime and leave `items.jsonl`.

    Raises:
        DecodeFailed: a video cannot be read and `bad_media` is `stop`; with `skip` its items are
            left out of every regime, so that regimes stay comparable, and `skipped.json` names it.
        BadData: with `skip`, too many items are left out.
    """
    device = settle(context.execution)
    model, tokenizer = assemble(identity.model, identity.seed, context)
    set_trainable(modules_of(model), ())
    model.to(device)
    items = read_benchmark(context.locations[identity.benchmark])
    in_order = sorted(items, key=lambda item: item.video)
    rows: list[dict[str, object]] = []
    skipped: dict[str, str] = {}
    size = micro_batch(context.execution, BATCH, device)
    half = identity.precision == "bfloat16"
    with (
        media_readers(
            context, identity.sampling, identity.model.integration, size=model.input_size
        ) as readers,
        torch.autocast(device.type, torch.bfloat16, enabled=half),
    ):
        total = len(identity.regimes) * len(items)
        for regime in identity.regimes:
            shown = _shown(in_order, readers[0], regime, identity, skipped)
            for questions in _batches(shown, size):
                rows += _answer(model, tokenizer, questions, regime, identity)
                context.report({"step": len(rows), "steps": total})
    kept = [row for row in rows if row["video"] not in skipped]
    _refuse_ruins(items, skipped)
    text = "".join(json.dumps(row) + "\n" for row in kept)
    (context.out / ITEMS).write_text(text, encoding="utf-8")
    (context.out / "skipped.json").write_text(json.dumps(skipped, indent=2) + "\n")


def _refuse_ruins(items: Sequence[Item], skipped: Mapping[str, str]) -> None:
    lost = sum(item.video in skipped for item in items)
    if lost > MOST_SKIPPED * len(items):
        raise BadData(
            f"{lost} of {len(items)} items have videos that cannot be read; the rest would be "
            f"another benchmark. The first: {next(iter(skipped))}"
        )


def _shown(
    items: Sequence[Item],
    reader: MediaReader,
    regime: Regime,
    identity: EvaluateIdentity,
    skipped: dict[str, str],
) -> Iterator[Question]:
    for video, group in groupby(items, key=lambda item: item.video):
        try:
            shown = _show(reader, video, regime)
        except DecodeFailed as error:
            if identity.bad_media == "stop":
                raise
            skipped[video] = error.reason
            continue
        for item in group:
            yield Question(item, shown)


def _batches(questions: Iterator[Question], size: int) -> Iterator[list[Question]]:
    while batch := list(islice(questions, size)):
        yield batch


def _show(reader: MediaReader, video: str, regime: Regime) -> Shown | None:
    if regime == "text":
        return None
    return reader.video(video) if regime == "video" else reader.center_frame(video)


def _answer(
    model: VideoLMM,
    tokenizer: PreTrainedTokenizerBase,
    questions: Sequence[Question],
    regime: Regime,
    identity: EvaluateIdentity,
) -> Iterator[dict[str, object]]:
    scores = score(model, tokenizer, questions, scoring=identity.scoring, prompt=identity.prompt)
    for question, likelihoods in zip(questions, scores, strict=True):
        item = question.item
        choice = max(range(len(likelihoods)), key=likelihoods.__getitem__)
        yield {
            "regime": regime,
            "video": item.video,
            "item": item.id,
            "category": item.category,
            "choice": LETTERS[choice],
            "answer": LETTERS[item.answer_index],
            "correct": int(choice == item.answer_index),
            "n_options": len(item.options),
            "log_likelihoods": [round(value, 6) for value in likelihoods],
        }
