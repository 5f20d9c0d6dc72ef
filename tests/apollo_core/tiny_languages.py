"""Tiny language models of further classes, each special in how it keeps what it has read."""

from __future__ import annotations

from typing import Any

import torch
from tiny_models import SIZES
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    OpenAIGPTConfig,
    OpenAIGPTLMHeadModel,
    PreTrainedModel,
)

from apollo_core.microworld.parts import VOCABULARY_SIZE


def gemma2() -> PreTrainedModel:
    """Attention in a window of 7 positions in every other layer, and capped logits."""
    torch.manual_seed(0)
    config = Gemma2Config(
        **SIZES,
        head_dim=8,
        sliding_window=7,
        final_logit_softcapping=5.0,
        query_pre_attn_scalar=8,
        tie_word_embeddings=False,
    )
    return Gemma2ForCausalLM(config).eval()


def mistral() -> PreTrainedModel:
    """Attention in a window of 7 positions in every layer."""
    return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=7)).eval()


def gpt2() -> PreTrainedModel:
    """Learned absolute positions."""
    config = GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=VOCABULARY_SIZE, n_positions=512,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def mamba() -> PreTrainedModel:
    """A state in place of keys and values."""
    sizes: dict[str, Any] = {"vocab_size": VOCABULARY_SIZE, "state_size": 4}
    return MambaForCausalLM(MambaConfig(hidden_size=32, num_hidden_layers=2, **sizes)).eval()


def openai_gpt() -> PreTrainedModel:
    """Too old for a cache."""
    sizes: dict[str, Any] = {"vocab_size": VOCABULARY_SIZE, "n_positions": 512}
    return OpenAIGPTLMHeadModel(OpenAIGPTConfig(n_embd=32, n_layer=2, n_head=4, **sizes)).eval()
