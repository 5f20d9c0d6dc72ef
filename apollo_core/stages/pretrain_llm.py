"""Pretrain a microworld language model on the microworld's text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.utils.logging import disable_progress_bar

from apollo_core.answer_logits import token_loss
from apollo_core.batch import Batch, collate
from apollo_core.errors import pick
from apollo_core.geometry import LlmGeometry
from apollo_core.media.manifest import read_manifest
from apollo_core.microworld.parts import LLMS
from apollo_core.microworld.tokenizer import END, PAD, build_tokenizer
from apollo_core.places import Place
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import settle
from apollo_core.stages.identity import PretrainIdentity
from apollo_core.stages.recipes import pretraining_recipe
from apollo_core.streams import torch_stream
from apollo_core.text.chat import Encoded, encode_training
from apollo_core.training.loop import Extras, train
from apollo_core.training.mixture import draw


def pretrain_llm(identity: PretrainIdentity, context: StageContext) -> None:
    """Train a fresh model; leave a folder that `AutoModelForCausalLM` loads.

    Raises:
        StageFailed: as a training stage.
        BadInput: no microworld part of that name.
    """
    device = settle(context.execution)
    name = Place.parse(context.locations[identity.part.fingerprint]).micro
    part = pick(LLMS, name or "", field="llm: micro:")
    tokenizer = build_tokenizer()
    ids = tokenizer.get_vocab()
    with torch_stream(identity.seed, f"initialise {identity.part.fingerprint}"):
        model = create_llm(part.geometry, pad=ids[PAD], end=ids[END])
    nn.Module.to(model, device)
    samples = read_manifest(context.locations[identity.corpus])
    encoded = [encode_training(tokenizer, sample.turns, tokens_per_clip=0) for sample in samples]
    order = draw([1.0], [len(samples)], samples=identity.samples, seed=identity.seed).row
    batches = _batches([encoded[row] for row in order], identity.batch_size)
    train(
        {"llm": model},
        lambda batch: token_loss(model, model.get_input_embeddings()(batch.tokens), batch),
        batches,
        pretraining_recipe(identity, "llm"),
        device=device,
        report=context.report,
        extras=Extras(fused=context.execution.fused_optimiser),
    )
    disable_progress_bar()
    model.save_pretrained(context.out)
    tokenizer.save_pretrained(context.out)


def create_llm(geometry: LlmGeometry, *, pad: int, end: int) -> Qwen2ForCausalLM:
    """A language model of the Qwen2 class with fresh weights."""
    return Qwen2ForCausalLM(
        Qwen2Config(
            hidden_size=geometry.hidden,
            num_hidden_layers=geometry.layers,
            num_attention_heads=geometry.heads,
            num_key_value_heads=geometry.kv_heads,
            intermediate_size=geometry.mlp,
            vocab_size=geometry.vocabulary,
            tie_word_embeddings=geometry.tied,
            pad_token_id=pad,
            eos_token_id=end,
            bos_token_id=None,
            # transformers' 0.02 is meant for widths of about 2,500: at 48 nothing is learned.
            initializer_range=geometry.hidden**-0.5,
            max_position_embeddings=2048,
        )
    )


def _batches(encoded: Sequence[Encoded], batch_size: int) -> Iterator[list[Batch]]:
    for start in range(0, len(encoded), batch_size):
        group = encoded[start : start + batch_size]
        yield [collate(group, [], [-1] * len(group), tokens_per_clip=0)]
