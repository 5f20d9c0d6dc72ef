"""Rows through an external model: what is shown goes through it once, if its class allows that."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import DynamicCache

from apollo_core.answer_logits import head_only
from apollo_core.errors import BadData
from apollo_core.external.conversation import Conversation
from apollo_core.external.loading import External
from apollo_core.scoring.prefix import can_be_shared, for_rows, is_whole

# How far any word's probability behind a shared beginning may be from that of the whole row.
_SAME, _SAME_IN_HALF = 1e-3, 0.05


@dataclass(frozen=True)
class Row:
    """A conversation with what is answered so far; `written` may be empty."""

    asked: Conversation
    written: tuple[int, ...] = ()


class Passage:
    """Conversations about one medium on their way through the model.

    Args:
        external: the model.
        asked: all of them.
        micro_batch: rows in one forward.
        room: tokens that may be written behind a conversation.
        rows: how many will be asked for in all: of a single one nothing is shared.

    Raises:
        BadData: a conversation is longer than the model takes.
    """

    def __init__(
        self,
        external: External,
        asked: Sequence[Conversation],
        *,
        micro_batch: int,
        room: int,
        rows: int,
    ) -> None:
        self._model: Any = external.model
        self._micro_batch = micro_batch
        _refuse_long(external, asked, room)
        self._cache: DynamicCache | None = None
        self._cache = self._shared_beginning(asked[0]) if rows > 1 else None

    @property
    def is_shared(self) -> bool:
        """Whether rows take what they begin with from one forward."""
        return self._cache is not None

    def log_probabilities(
        self, rows: Sequence[Row]
    ) -> Iterator[Float[Tensor, "wanted vocabulary"]]:
        """Of every word at each position that predicts what is written, and at the one behind.

        In float32 and in the rows' order; `wanted` is one more than a row's written tokens.
        """
        # Without what is shown rows are alike in kind, and go together as well.
        together = self.is_shared or all(_is_text(row.asked) for row in rows)
        size = self._micro_batch if together else 1
        for at in range(0, len(rows), size):
            some = rows[at : at + size]
            yield from self._batch(some) if together else [self._whole(some[0])]

    @torch.inference_mode()
    def _shared_beginning(self, first: Conversation) -> DynamicCache | None:
        """Keys and values of what all conversations begin with; None where rows cannot share it.

        Whether they can is seen by trying: the first conversation has to come out as it does whole.
        """
        takes = inspect.signature(self._model.forward).parameters
        if not first.shared or "past_key_values" not in takes or self._model._is_stateful:
            return None
        length = len(first.shared)
        cache = DynamicCache(config=self._model.config.get_text_config())
        if not can_be_shared(cache):
            return None
        here = torch.zeros(1, length - 1, dtype=torch.bool, device=self._model.device)
        here[:, -1:] = True
        with head_only(self._model, here):
            self._model(**self._cut(first, length), past_key_values=cache, use_cache=True)
        if not is_whole(cache, length):
            return None
        self._cache = cache
        behind, whole = self._batch([Row(first)])[0], self._whole(Row(first))
        half = torch.is_autocast_enabled(self._model.device.type)
        apart = (behind[0].exp() - whole[0].exp()).abs().max().item()
        return cache if apart <= (_SAME_IN_HALF if half else _SAME) else None

    def _cut(self, asked: Conversation, length: int) -> dict[str, Tensor]:
        """Inputs up to `length` positions; what is shown stays."""
        shape = asked.inputs["input_ids"].shape
        return {
            name: (value[:, :length] if value.shape == shape else value).to(self._model.device)
            for name, value in asked.inputs.items()
        }

    @torch.inference_mode()
    def _batch(self, rows: Sequence[Row]) -> list[Float[Tensor, "wanted vocabulary"]]:
        """Rows without what they share, padded on the right, where no position looks."""
        ids = [
            [*(row.asked.own if self._cache else row.asked.shared + row.asked.own), *row.written, 0]
            for row in rows
        ]
        longest = max(map(len, ids))
        device = self._model.device
        tokens = torch.tensor([each + [0] * (longest - len(each)) for each in ids], device=device)
        here = torch.zeros(len(rows), longest - 1, dtype=torch.bool, device=device)
        for row, each, marks in zip(rows, ids, here, strict=True):
            marks[len(each) - 2 - len(row.written) : len(each) - 1] = True
        kept: dict[str, Any] = {"use_cache": False}
        if self._cache is not None:
            kept = {"past_key_values": for_rows(self._cache, len(rows)), "use_cache": True}
        with head_only(self._model, here):
            logits = self._model(input_ids=tokens, **kept).logits[0]
        return list(functional.log_softmax(logits.float(), -1).split(here.sum(1).tolist()))

    @torch.inference_mode()
    def _whole(self, row: Row) -> Float[Tensor, "wanted vocabulary"]:
        """One row from its beginning, what it shows included."""
        inputs = self._cut(row.asked, row.asked.inputs["input_ids"].shape[1])
        shape = inputs["input_ids"].shape
        more = (*row.written, 0)
        for name, value in inputs.items():
            if value.shape == shape:
                end = more if name == "input_ids" else (int(name == "attention_mask"),) * len(more)
                tail = torch.tensor([end], dtype=value.dtype, device=value.device)
                inputs[name] = torch.cat([value, tail], 1)
        here = torch.zeros(1, shape[1] + len(more) - 1, dtype=torch.bool, device=self._model.device)
        here[:, -len(more) :] = True
        with head_only(self._model, here):
            logits = self._model(**inputs, use_cache=False).logits[0]
        return functional.log_softmax(logits.float(), -1)


def _is_text(asked: Conversation) -> bool:
    shape = asked.inputs["input_ids"].shape
    return all(value.shape == shape for value in asked.inputs.values())


def _refuse_long(external: External, asked: Sequence[Conversation], room: int) -> None:
    config: Any = external.model.config.get_text_config()
    most = getattr(config, "max_position_embeddings", None)
    needed = max(len(each.shared) + len(each.own) for each in asked) + room
    if most is not None and needed > most:
        raise BadData(
            f"a question and the frames before it need {needed} positions, the model takes {most}: "
            "sample fewer frames, or lower `frame_side`"
        )
