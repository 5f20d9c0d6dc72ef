"""The video LMM: encoders, connector, language model; and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PreTrainedModel

from apollo_core.answer_logits import token_loss
from apollo_core.batch import Batch
from apollo_core.connector.connector import Connector
from apollo_core.connector.resamplers.qformer import Words
from apollo_core.encoders import pixels
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import BadData
from apollo_core.features.feature_use import View
from apollo_core.features.frozen import frozen_features
from apollo_core.text.asking import NO_WORD, SEVERAL
from apollo_core.text.chat import MARK_END, MARK_START, TEXT

# Each encoder's grid of the clips that it has to see, in the design's order.
Features = Sequence[Tensor]


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

    def features(self, batch: Batch) -> list[Float[Tensor, "_ _ _ _ _"]]:
        """Each encoder's grid of the clips that it has to see.

        An encoder does not see clips that do not need it. Frozen encoders run without a graph, and
        medium by medium: what else is in the batch changes no digit (`features.frozen`).
        """
        if not _trains(self.vision):
            encoders = [cast(VideoEncoder, encoder) for encoder in self.vision]
            return frozen_features(encoders, batch, sees=self.sees)
        unit = pixels.to_unit(batch.clips)
        return [self._grid(place, unit, batch.still) for place in range(len(self.vision))]

    @property
    def sees(self) -> dict[View, tuple[int, ...]]:
        """By view (images and single frames, or videos) the places of the encoders that see it."""
        asked: dict[View, Bool[Tensor, " 1"]] = {
            "video": torch.tensor([False]),
            "still": torch.tensor([True]),
        }
        every = range(len(self.vision))
        return {
            view: tuple(place for place in every if bool(self.connector.needed(place, still)))
            for view, still in asked.items()
        }

    def visual_tokens(
        self, batch: Batch, features: Features | None = None
    ) -> Float[Tensor, "places tokens hidden"]:
        """Encode the clips and bring them to as many places as the text has for them.

        Args:
            batch: the clips, and how they stand in the text.
            features: what `features` gives for them, where it is at hand.
        """
        grids = self.features(batch) if features is None else features
        words = self._words(batch) if self.connector.conditioned else None
        tokens = self.connector(grids, still=batch.still, words=words)
        return self.connector.remembered(tokens, medium=batch.medium, still=batch.still)

    def _grid(
        self,
        place: int,
        unit: Float[Tensor, "clips frames 3 height width"],
        still: Bool[Tensor, " clips"],
    ) -> Float[Tensor, "needed slots rows columns dim"]:
        """One encoder's features of the clips that it has to see."""
        encoder = cast(VideoEncoder, self.vision[place])
        needed = self.connector.needed(place, still)
        if not bool(needed.any()):
            return unit.new_zeros(0, 1, 1, 1, encoder.dim)
        if bool(needed.all()):
            return encoder(unit, still=still)
        return encoder(unit[needed], still=still[needed])

    def _words(self, batch: Batch) -> Words:
        """What is asked about each clip, in the language model's own embeddings.

        Without gradient: these embeddings say what to look for as they stand, and are learned by
        what the language model reads and writes alone. Else a frozen connector would bend them, and
        the same rate would mean more for a conditioned design than for its base.
        """
        assert not bool((batch.asked == SEVERAL).any()), "collate this batch as `conditioned`"
        asked = batch.asked[batch.medium]
        embedded = self.llm.get_input_embeddings()(asked.clamp(min=0)).detach()
        return Words(embedded, asked != NO_WORD)

    def embed(
        self, batch: Batch, features: Features | None = None
    ) -> Float[Tensor, "batch length hidden"]:
        """Text embeddings with visual tokens and marks in their places.

        Args:
            batch: conversations and their clips.
            features: the clips' features, where they are at hand.

        Raises:
            BadData: the connector gives another number of visual tokens than the text has room for.
        """
        words = self.llm.get_input_embeddings()(batch.tokens)
        if not bool((batch.source != TEXT).any()):
            return words
        marks = self.connector.marks
        visual = marks[:0]
        if len(batch.still):
            visual = self.visual_tokens(batch, features).flatten(0, 1)
        places = int(batch.places.sum()) * self.connector.tokens_per_clip
        if len(visual) != places:
            raise BadData(
                f"the text has places for {places} visual tokens, the connector gives "
                f"{len(visual)}: the media were read with another memory bank than the model's"
            )
        table = torch.cat([visual, marks]).to(words.dtype)
        rows = torch.where(batch.source == MARK_START, len(visual), batch.source)
        rows = torch.where(batch.source == MARK_END, len(visual) + 1, rows)
        return torch.where((rows == TEXT)[..., None], words, table[rows.clamp(min=0)])

    def loss(self, batch: Batch, features: Features | None = None) -> Float[Tensor, ""]:
        """Cross entropy summed over the supervised tokens, in nats."""
        return token_loss(self.llm, self.embed(batch, features), batch)


def _trains(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())
