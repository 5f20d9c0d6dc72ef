"""Packing: the conversations of a micro-batch one behind the other in one row, without padding.

Each keeps to itself: positions restart and attention stays inside it, so loss, logits and gradients
are those of conversations padded side by side, up to the last digits.

Who keeps them apart depends on the language model's class. transformers sees restarting positions
and builds a block mask (sdpa, eager), or a sparse one (flex_attention). With a dense mask the cost
grows with the square of the whole row; so where the class allows it (`sample_wise`), each
conversation is attended on its own by scaled dot products without a mask.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal, cast

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from apollo_core.batch import Batch
from apollo_core.errors import StageFailed
from apollo_core.text.chat import IGNORED

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


@dataclass(frozen=True)
class Prepared:
    """How a language model attends from now on.

    Attributes:
        packed: whether conversations may share a row.
        why_padded: why not, though it was asked for.
    """

    packed: bool
    why_padded: str = ""


def prepare_attention(
    llm: PreTrainedModel, attention: Attention, *, packed: bool, required: bool = True
) -> Prepared:
    """Make a language model attend as asked; with `packed`, prove that it keeps samples apart.

    Args:
        llm: is changed.
        attention: how.
        packed: whether conversations are to share a row.
        required: without packing it is not to be used at all; otherwise it goes on padded.

    Raises:
        StageFailed: its class cannot be packed though that is required.
    """
    if attention != "auto":
        llm.set_attn_implementation(attention)
    if not packed:
        return Prepared(packed=False)
    before = cast(str, llm.config.get_text_config()._attn_implementation)
    if attention == "auto" and attends_by_samples(llm):
        llm.set_attn_implementation(SAMPLE_WISE)
    why_not = _why_not_packed(llm)
    if not why_not:
        return Prepared(packed=True)
    if required:
        raise StageFailed(f"{why_not}; set `execution: {{packing: 'off'}}`")
    llm.set_attn_implementation(before)
    return Prepared(packed=False, why_padded=why_not)


def attends_by_samples(llm: PreTrainedModel) -> bool:
    """Plain causal attention in every layer, computed through transformers' interface.

    Windows and chunks come to a class as a mask, which sample-wise attention does not take. Some
    classes name them by layer, others (Mistral, Phi-3, Mixtral) by one number for all layers. No
    probe could find that out: it would have to be longer than the window.
    """
    config = llm.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    limits = ("sliding_window", "attention_chunk_size")
    unlimited = not any(getattr(config, name, None) for name in limits)  # Qwen2-MoE: 0 for none
    plain = kinds == {"full_attention"} and unlimited and config._attn_implementation == "sdpa"
    return plain and bool(getattr(llm, "_supports_attention_backend", False))


def _why_not_packed(llm: PreTrainedModel) -> str:
    """Try two packed samples of four positions; empty if each is as if it were alone.

    Four positions show whether borders are kept and positions restart. They show nothing of what
    only longer samples meet.
    """
    name = type(llm).__name__
    noise = torch.randn(3, 4, _width(llm), generator=torch.Generator().manual_seed(0))
    try:
        row, changed = (_probe(llm, noise[[first, 2]]) for first in (0, 1))
        alone = torch.cat([_probe(llm, noise[[each]]) for each in (0, 2)])
    except torch.OutOfMemoryError:
        raise
    # Whatever a class of whatever author says to a row it was not written for.
    except Exception as error:
        return f"{name} takes no packed row ({type(error).__name__}: {error})"
    if not torch.allclose(row[4:], changed[4:], atol=1e-4, rtol=1e-4):
        return f"{name} looks from one packed conversation into another"
    # Unlike the two rows, a row and its parts are summed in other orders.
    most = max(1e-3, torch.finfo(llm.dtype).eps ** 0.5) * alone.std()
    if (row - alone).abs().max() > most:
        return f"{name} computes something else for a packed conversation than for it alone"
    return ""


def _width(llm: PreTrainedModel) -> int:
    return cast(nn.Embedding, llm.get_input_embeddings()).weight.shape[1]


def _probe(
    llm: PreTrainedModel, samples: Float[Tensor, "samples length width"]
) -> Float[Tensor, "row vocabulary"]:
    """Logits of samples in one row."""
    positions = torch.arange(samples.shape[1]).repeat(len(samples))
    training = llm.training
    llm.eval()  # no dropout between the rows that are compared
    try:
        with torch.no_grad():
            logits = llm(
                inputs_embeds=rearrange(samples, "s l d -> 1 (s l) d").to(llm.device, llm.dtype),
                position_ids=positions[None].to(llm.device),
                use_cache=False,
            ).logits
    finally:
        llm.train(training)
    return logits[0].float()


# The borders in the rows that are being attended: every layer asks for those of one and the same
# tensor, and to read them off a GPU is to wait for it.
_BORDERS = WeakTensorKeyDictionary()


def _borders(position_ids: Int[Tensor, "row length"]) -> list[int]:
    """Where samples begin, and the end."""
    if position_ids not in _BORDERS:
        starts = (position_ids[0] == 0).nonzero()[:, 0].tolist()
        _BORDERS[position_ids] = [*starts, position_ids.shape[1]]
    return _BORDERS[position_ids]


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
        for start, end in pairwise(_borders(position_ids))
    ]
    return rearrange(torch.cat(attended, 2), "row h l d -> row l h d"), None


def _no_mask(*_: Any, **__: Any) -> None:
    """Instead of a mask over the whole row."""


AttentionInterface.register(SAMPLE_WISE, attend_sample_wise)
AttentionMaskInterface.register(SAMPLE_WISE, _no_mask)
