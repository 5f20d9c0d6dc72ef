"""Stage functions that the ranks of the tests import by name."""

from __future__ import annotations

from apollo_core.stages import assembly
from apollo_core.stages.context import StageContext
from apollo_core.stages.identity import StageIdentity
from apollo_core.stages.run import run_stage


def with_dropout(identity: StageIdentity, context: StageContext) -> None:
    """The stage, its language model dropping a fifth of its attention: each step draws."""
    whole = assembly.load_llm

    def noisy(*args, **kwargs):
        model, tokenizer = whole(*args, **kwargs)
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = 0.2
        return model, tokenizer

    assembly.load_llm = noisy
    try:
        run_stage(identity, context)
    finally:
        assembly.load_llm = whole
