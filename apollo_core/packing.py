"""Packing: the conversations of a micro-batch one behind the other in one row, without padding.

Each keeps to itself: positions restart and attention stays inside it, so loss, logits and gradients
are those of conversations padded side by side, up to the last digits.

Who keeps them apart depends on the language model's class. transformers sees restarting positions
and builds a block mask (sdpa, eager), or a sparse one (flex_attention). With a dense mask the cost
grows with the square of the whole row; so where the class allows it (`sample_wise`), each
conversation is attended on its own by scaled dot products without a mask.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from apollo_core.batch import Batch
from apollo_core.chat import IGNORED
from apollo_core.errors import StageFailed

SAMPLE_WISE = "apollo_sample_wise"
Attention = Literal["auto", "sdpa", "eager", "flex_attention"]


def pack(batch: Batch) -> Batch:
    """The same conversations in one row."""
    here = batch.attended
    lengths = here.sum(1).tolist()
    labels = batch.labels.clone()
    # Nothing before it in its own conversation predicts a first token.
    labels[:, 0] = IGNORED
    return replace(
        batch,
        tokens=batch.tokens[here][None],
        labels=labels[here][None],
        attended=here[here][None],
        source=batch.source[here][None],
        positions=torch.cat([torch.arange(length) for length in lengths])[None],
    )


def prepare_attention(llm: PreTrainedModel, attention: Attention, *, packed: bool) -> None:
    """Make a language model attend as asked; with `packed`, prove that it keeps samples apart.

    Raises:
        StageFailed: its class does not.
    """
    if attention != "auto":
        llm.set_attn_implementation(attention)
    elif packed and _may_attend_sample_wise(llm):
        llm.set_attn_implementation(SAMPLE_WISE)
    if packed:
        _prove_apart(llm)


def _may_attend_sample_wise(llm: PreTrainedModel) -> bool:
    """Plain causal attention in every layer, computed through transformers' interface."""
    config = llm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    plain = kinds == {"full_attention"} and config._attn_implementation == "sdpa"
    return plain and bool(getattr(llm, "_supports_attention_backend", False))


def _prove_apart(llm: PreTrainedModel) -> None:
    """Change the first of two packed samples and see that the second stays as it was."""
    device = llm.device
    width = llm.config.get_text_config().hidden_size
    noise = torch.Generator().manual_seed(0)
    rows = torch.randn(2, 8, width, generator=noise)
    rows[1, 4:] = rows[0, 4:]
    positions = torch.arange(4).repeat(2)[None].to(device)
    with torch.no_grad():
        first, second = (
            llm(
                inputs_embeds=row[None].to(device, llm.dtype),
                position_ids=positions,
                use_cache=False,
            ).logits
            for row in rows
        )
    if not torch.allclose(first[:, 4:], second[:, 4:], atol=1e-4, rtol=1e-4):
        raise StageFailed(
            f"{type(llm).__name__} looks from one packed conversation into another; set "
            "`execution: {packing: 'off'}`"
        )


@torch.compiler.disable  # each row has other borders: it would be compiled again and again
def attend_sample_wise(
    module: nn.Module,
    query: Float[Tensor, "row heads length head_dim"],
    key: Float[Tensor, "row groups length head_dim"],
    value: Float[Tensor, "row groups length head_dim"],
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    position_ids: Int[Tensor, "row length"] | None = None,
    **_: Any,
) -> tuple[Float[Tensor, "row length heads head_dim"], None]:
    """Causal attention inside each sample of one packed row; a sample begins at position 0."""
    assert attention_mask is None
    assert position_ids is not None
    starts = (position_ids[0] == 0).nonzero()[:, 0].tolist()
    attended = [
        functional.scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            dropout_p=dropout,
            scale=scaling,
            is_causal=True,
            enable_gqa=query.shape[1] != key.shape[1],
        )
        for start, end in pairwise([*starts, query.shape[2]])
    ]
    return rearrange(torch.cat(attended, 2), "row h l d -> row l h d"), None


def _no_mask(*_: Any, **__: Any) -> None:
    """Instead of a mask over the whole row."""


AttentionInterface.register(SAMPLE_WISE, attend_sample_wise)
AttentionMaskInterface.register(SAMPLE_WISE, _no_mask)
