"""The video LMM: encoders, connector, language model; and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from apollo_core.batch import Batch
from apollo_core.chat import IGNORED, MARK_END, MARK_START, TEXT
from apollo_core.connector import Connector
from apollo_core.encoders.encoder import VideoEncoder


class VideoLMM(nn.Module):
    """Visual tokens spliced into a causal language model.

    The three modules of a schedule are its attributes `vision`, `connector` and `llm`.

    `input_size` is the side, in pixels, at which frames are to be decoded: the largest encoder's.

    Args:
        encoders: in the design's order.
        connector: as wide as the language model.
        llm: any causal language model of transformers.
    """

    def __init__(
        self, encoders: Sequence[VideoEncoder], connector: Connector, llm: PreTrainedModel
    ) -> None:
        super().__init__()
        self.vision = nn.ModuleList(encoders)
        self.input_size = max(encoder.spec.size for encoder in encoders)
        self.connector = connector
        self.llm = llm

    @property
    def longest(self) -> int | None:
        """Positions that the language model can take, where its config says so."""
        return getattr(self.llm.config.get_text_config(), "max_position_embeddings", None)

    def visual_tokens(
        self, clips: UInt8[Tensor, "clips frames height width 3"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Encode clips; frozen encoders run without a graph."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and _trains(self.vision)):
            grids = [encoder(clips) for encoder in self.vision]
        return self.connector(grids)

    def embed(self, batch: Batch) -> Float[Tensor, "batch length hidden"]:
        """Text embeddings with visual tokens and marks in their places."""
        words = self.llm.get_input_embeddings()(batch.tokens)
        if not bool((batch.source != TEXT).any()):
            return words
        marks = self.connector.marks
        visual = marks[:0]
        if len(batch.clips):
            visual = self.visual_tokens(batch.clips).flatten(0, 1)
        table = torch.cat([visual, marks]).to(words.dtype)
        rows = torch.where(batch.source == MARK_START, len(visual), batch.source)
        rows = torch.where(batch.source == MARK_END, len(visual) + 1, rows)
        return torch.where((rows == TEXT)[..., None], words, table[rows.clamp(min=0)])

    def answer_log_probabilities(
        self, batch: Batch
    ) -> list[Float[Tensor, "supervised vocabulary"]]:
        """For each row, log-probabilities of every word at each of its supervised tokens."""
        logits, _, here = token_logits(self.llm, self.embed(batch), batch)
        return list(functional.log_softmax(logits.float(), -1).split(here.sum(1).tolist()))

    def loss(self, batch: Batch) -> Float[Tensor, ""]:
        """Cross entropy summed over the supervised tokens, in nats."""
        return token_loss(self.llm, self.embed(batch), batch)


def token_logits(
    llm: PreTrainedModel, embedded: Float[Tensor, "batch length hidden"], batch: Batch
) -> tuple[
    Float[Tensor, "supervised vocabulary"],
    Int[Tensor, " supervised"],
    Bool[Tensor, "batch shifted"],
]:
    """Logits only where a label is: elsewhere a large vocabulary would only cost memory.

    Returns:
        logits, the labels that they should predict, and where they stand (position - 1).
    """
    targets = batch.labels[:, 1:]
    here = targets != IGNORED
    head = cast(nn.Module, llm.get_output_embeddings())
    whole = head.forward

    def chosen(hidden: Tensor) -> Tensor:
        # In float32 whatever the stage's precision: half of it cannot tell close answers apart.
        with torch.autocast(hidden.device.type, enabled=False):
            return whole(hidden[:, :-1][here][None].float())

    # Inside the model's own forward, since some classes scale or cap what their head gives.
    head.forward = chosen
    try:
        logits = llm(
            inputs_embeds=embedded, attention_mask=batch.attended.long(), use_cache=False
        ).logits[0]
    finally:
        head.forward = whole
    return logits, targets[here], here


def token_loss(
    llm: PreTrainedModel, embedded: Float[Tensor, "batch length hidden"], batch: Batch
) -> Float[Tensor, ""]:
    """Cross entropy summed over the supervised tokens, in nats."""
    logits, targets, _ = token_logits(llm, embedded, batch)
    return functional.cross_entropy(logits.float(), targets, reduction="sum")


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
