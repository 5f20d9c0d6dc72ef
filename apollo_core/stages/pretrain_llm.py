"""Pretrain a microworld language model on the microworld's text."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn
from transformers import Qwen2Config, Qwen2ForCausalLM
from transformers.utils.logging import disable_progress_bar

from apollo_core.answer_logits import token_loss
from apollo_core.batch import Batch, collate
from apollo_core.errors import pick
from apollo_core.geometry import LlmGeometry
from apollo_core.microworld.parts import LLMS
from apollo_core.microworld.tokenizer import END, PAD, build_tokenizer
from apollo_core.places import Place
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import settle
from apollo_core.stages.identity import PretrainIdentity
from apollo_core.stages.part_training import train_part
from apollo_core.stages.training_sets import read_set
from apollo_core.streams import torch_stream
from apollo_core.text.chat import encode_training


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
    samples = read_set(identity.corpus, context)
    encoded = [encode_training(tokenizer, sample.turns, tokens_per_clip=0) for sample in samples]

    def batch_of(rows: Sequence[int]) -> Batch:
        group = [encoded[row] for row in rows]
        return collate(group, [], [-1] * len(group), tokens_per_clip=0)

    train_part(
        "llm",
        model,
        lambda batch: token_loss(model, model.get_input_embeddings()(batch.tokens), batch),
        batch_of,
        identity,
        context,
        rows=len(samples),
        lengths=[len(each.tokens) for each in encoded],
        device=device,
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
