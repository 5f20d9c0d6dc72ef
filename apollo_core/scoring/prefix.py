"""Conversations that begin alike: their common beginning goes through the model once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from apollo_core.answer_logits import head_only
from apollo_core.batch import Batch, collate
from apollo_core.media.reader import Shown
from apollo_core.model import Features, VideoLMM
from apollo_core.text.asking import questions
from apollo_core.text.chat import IGNORED, TEXT, Encoded

NOWHERE = -1


@dataclass(frozen=True)
class Prefix:
    """What rows about one medium have in common, gone through once.

    Attributes:
        model: the whole model.
        length: positions in common; 0 where to go through them with every row costs less.
        visual: the medium's visual tokens, by their running number.
        embedded: the common positions.
        cache: their keys and values in the language model; None where its class keeps none that
            rows could share: the common positions are then run again with every row.
    """

    model: VideoLMM
    length: int
    visual: Float[Tensor, "places hidden"]
    embedded: Float[Tensor, "1 length hidden"]
    cache: DynamicCache | None

    def log_probabilities(
        self, rows: Sequence[Encoded], *, micro_batch: int
    ) -> Iterator[Float[Tensor, "supervised vocabulary"]]:
        """For each row, log-probabilities of every word at each of its supervised positions.

        Made as they are taken: no more than `micro_batch` rows are in memory.
        """
        for at in range(0, len(rows), micro_batch):
            yield from self._batch(rows[at : at + micro_batch])

    @torch.inference_mode()
    def _batch(self, rows: Sequence[Encoded]) -> list[Float[Tensor, "supervised vocabulary"]]:
        """All rows at once, padded on the right: so each position behind the prefix is counted on
        from it by the language model itself, whatever kind of positions it has."""
        cut = [_cut(row, self.length) for row in rows]
        text = [Encoded(one.tokens, one.labels, np.minimum(one.source, TEXT)) for one in cut]
        batch = collate(text, [], [-1] * len(cut), tokens_per_clip=1).to(self.visual.device)
        embedded = self._with_visual(self.model.embed(batch), cut)
        here = batch.labels[:, 1:] != IGNORED
        ahead = batch.attended.new_ones(len(rows), self.length)
        kept = {}
        if self.cache is None:
            embedded = torch.cat([self.embedded.expand(len(rows), -1, -1), embedded], 1)
            here = torch.cat([~ahead, here], 1)
        else:
            kept["past_key_values"] = for_rows(self.cache, len(rows))
        with head_only(self.model.llm, here):
            logits = self.model.llm(
                inputs_embeds=embedded,
                attention_mask=torch.cat([ahead, batch.attended], 1).long(),
                use_cache=self.cache is not None,
                **kept,
            ).logits[0]
        return list(functional.log_softmax(logits.float(), -1).split(here.sum(1).tolist()))

    def _with_visual(
        self, embedded: Float[Tensor, "rows rest hidden"], cut: Sequence[Encoded]
    ) -> Float[Tensor, "rows rest hidden"]:
        """Put visual tokens where rows have places for them behind what they have in common."""
        if not any(one.clips_tokens for one in cut):
            return embedded
        places = np.full(embedded.shape[:2], NOWHERE)
        for row, one in enumerate(cut):
            places[row, : len(one.source)] = np.maximum(one.source, NOWHERE)
        at = torch.from_numpy(places).to(embedded.device)
        return torch.where((at == NOWHERE)[..., None], embedded, self.visual[at.clamp(min=0)])


def beginnings(
    model: VideoLMM, rows: Sequence[Encoded], shown: Shown | None, *, passes: int = 1
) -> Iterator[tuple[Prefix, list[Encoded]]]:
    """Rows about one medium, in order, in groups that see the same visual tokens: all of them,
    unless these depend on the question. The encoders see the medium once all the same.

    Args:
        model, rows, shown, passes: as `begin` takes them.
    """
    if shown is None or not model.connector.conditioned:
        yield begin(model, rows, shown, passes=passes), list(rows)
        return
    with torch.inference_mode():
        features = model.features(_alone(model, rows[0], shown))
    for _, same in groupby(rows, key=lambda row: questions(row, shown)):
        group = list(same)
        yield begin(model, group, shown, passes=passes, features=features), group


@torch.inference_mode()
def begin(
    model: VideoLMM,
    rows: Sequence[Encoded],
    shown: Shown | None,
    *,
    passes: int = 1,
    features: Features | None = None,
) -> Prefix:
    """Embed what `rows` show, and run what they have in common through the language model.

    Args:
        model: not one whose visual tokens depend on the question, unless all rows ask the same.
        rows: conversations about `shown`, each with at least one supervised position.
        shown: the medium; None = text alone.
        passes: times that each row will be asked for.
        features: what the encoders make of `shown`, where it is at hand.
    """
    length = shared_length(rows)
    if not _pays(length, rows, shown, passes):
        length = 0
    first = rows[0]
    embedded = model.embed(_alone(model, first, shown), features)
    places = np.flatnonzero(first.source >= 0)
    visual = embedded[0, places[np.argsort(first.source[places])]]
    common = embedded[:, :length]
    return Prefix(model, length, visual, common, _cache(model.llm, common) if length else None)


def _alone(model: VideoLMM, row: Encoded, shown: Shown | None) -> Batch:
    media, place = ([shown], 0) if shown is not None else ([], -1)
    batch = collate([row], media, [place], tokens_per_clip=model.connector.tokens_per_clip)
    return batch.to(model.connector.marks.device)


def shared_length(rows: Sequence[Encoded]) -> int:
    """Positions that all rows begin with, equal in token and in what they show.

    It ends before the position that predicts the first supervised one: its logits are wanted.
    """
    most = min(int(np.flatnonzero(one.labels != IGNORED)[0]) - 1 for one in rows)
    first = rows[0]
    for one in rows[1:]:
        same = (first.tokens[:most] == one.tokens[:most]) & (
            first.source[:most] == one.source[:most]
        )
        most = int(np.argmin(same)) if not same.all() else most
    return max(0, most)


def _pays(length: int, rows: Sequence[Encoded], shown: Shown | None, passes: int) -> bool:
    """With a medium whenever anything is asked twice. Without, where at least half of the positions
    are saved: a system prompt of a few words is not worth a forward of its own."""
    again = len(rows) * passes - 1
    if shown is not None:
        return again > 0
    rest = passes * sum(len(one.tokens) - length for one in rows)
    return length * again >= rest


def _cut(row: Encoded, start: int) -> Encoded:
    return Encoded(row.tokens[start:], row.labels[start:], row.source[start:])


def _cache(llm: PreTrainedModel, embedded: Float[Tensor, "1 length hidden"]) -> DynamicCache | None:
    """Keys and values of these positions, or None where the class keeps no such thing."""
    takes = inspect.signature(llm.forward).parameters
    if "past_key_values" not in takes or llm._is_stateful:
        return None  # state-space models; the oldest transformers
    cache = DynamicCache(config=llm.config)
    if not can_be_shared(cache):
        return None
    nowhere = torch.zeros(1, embedded.shape[1] - 1, dtype=torch.bool, device=embedded.device)
    attended = torch.ones(embedded.shape[:2], dtype=torch.long, device=embedded.device)
    with head_only(llm, nowhere):
        llm(
            inputs_embeds=embedded,
            attention_mask=attended,
            past_key_values=cache,
            use_cache=True,
        )
    return cache if is_whole(cache, embedded.shape[1]) else None


def can_be_shared(cache: DynamicCache) -> bool:
    """Whether rows can share it: a state that has swallowed its positions cannot be shared."""
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in cache.layers)


def is_whole(cache: DynamicCache, length: int) -> bool:
    """Whether a forward over `length` positions left all of them; not where layers share theirs."""
    filled = all(layer.is_initialized for layer in _layers(cache))
    return filled and cache.get_seq_length() == length


def for_rows(cache: DynamicCache, rows: int) -> DynamicCache:
    """The cache as each of `rows` rows finds it; a layer that grows leaves the original alone."""
    own = copy(cache)
    layers = [copy(layer) for layer in _layers(cache)]
    for layer in layers:
        assert layer.keys is not None
        assert layer.values is not None
        layer.keys = layer.keys.expand(rows, -1, -1, -1)
        layer.values = layer.values.expand(rows, -1, -1, -1)
    cast(Any, own).layers = layers
    return own


def _layers(cache: DynamicCache) -> list[DynamicLayer]:
    return cast(list[DynamicLayer], cache.layers)
