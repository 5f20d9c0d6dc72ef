"""The language model's logits where they count, and the loss on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from apollo_core.batch import Batch
from apollo_core.text.chat import IGNORED


def token_logits(
    llm: PreTrainedModel, embedded: Float[Tensor, "batch length hidden"], batch: Batch
) -> tuple[
    Float[Tensor, "supervised vocabulary"],
    Int[Tensor, " supervised"],
    Bool[Tensor, "batch shifted"],
]:
    """Logits only where a label is: elsewhere a large vocabulary would only cost memory.

    In the stage's precision: for learning that is enough, and in float32 the product with a large
    vocabulary would be slower than several blocks.

    Returns:
        logits, the labels that they should predict, and where they stand (position - 1).
    """
    targets = batch.labels[:, 1:]
    here = targets != IGNORED
    with head_only(llm, here, exact=False):
        logits = llm(inputs_embeds=embedded, use_cache=False, **_told_apart(batch)).logits[0]
    return logits, targets[here], here


def _told_apart(batch: Batch) -> dict[str, Any]:
    """What keeps a forward, in a packed row, from looking from one conversation into another:
    transformers takes a row for what it is by its positions.

    No mask: padding stands on the right, where a causal model's tokens never look, and without one
    attention leaves out the half that nobody sees.
    """
    return {} if batch.positions is None else {"position_ids": batch.positions}


@contextmanager
def head_only(
    llm: PreTrainedModel, here: Bool[Tensor, "batch shifted"], *, exact: bool = True
) -> Iterator[None]:
    """Meanwhile a forward gives logits of shape (1, supervised, vocabulary): those of the positions
    in `here`, the last position not counted.

    With `exact` in float32 whatever the stage's precision: half of it cannot tell close answers
    apart.
    """
    head = cast(nn.Module, llm.get_output_embeddings())
    whole = head.forward

    def chosen(hidden: Tensor) -> Tensor:
        wanted = hidden[:, :-1][here][None]
        if not exact:
            return whole(wanted)
        with torch.autocast(hidden.device.type, enabled=False):
            return whole(wanted.float())

    # Inside the model's own forward, since some classes scale or cap what their head gives.
    head.forward = chosen
    try:
        yield
    finally:
        head.forward = whole


def token_loss(
    llm: PreTrainedModel, embedded: Float[Tensor, "batch length hidden"], batch: Batch
) -> Float[Tensor, ""]:
    """Cross entropy summed over the supervised tokens, in nats; taken in float32."""
    logits, targets, _ = token_logits(llm, embedded, batch)
    return functional.cross_entropy(logits.float(), targets, reduction="sum")
