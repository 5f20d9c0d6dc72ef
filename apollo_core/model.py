"""The video LMM: encoders, connector, language model; and its loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from apollo_core import pixels
from apollo_core.answer_logits import token_logits, token_loss
from apollo_core.batch import Batch
from apollo_core.chat import MARK_END, MARK_START, TEXT
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

    def visual_tokens(self, batch: Batch) -> Float[Tensor, "clips tokens hidden"]:
        """Encode the clips; frozen encoders run without a graph."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and _trains(self.vision)):
            unit = pixels.to_unit(batch.clips)
            grids = [encoder(unit) for encoder in self.vision]
        return self.connector(grids)

    def embed(self, batch: Batch) -> Float[Tensor, "batch length hidden"]:
        """Text embeddings with visual tokens and marks in their places."""
        words = self.llm.get_input_embeddings()(batch.tokens)
        if not bool((batch.source != TEXT).any()):
            return words
        marks = self.connector.marks
        visual = marks[:0]
        if len(batch.clips):
            visual = self.visual_tokens(batch).flatten(0, 1)
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


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
