"""Optimise a microworld part, whole: what all classes of parts share in being pretrained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch
from apollo_core.stages.identity import PretrainIdentity
from apollo_core.stages.recipes import pretraining_recipe
from apollo_core.stages.resuming import Resuming, checkpoints_of
from apollo_core.streams import torch_stream
from apollo_core.training.distributed import NOBODY_ELSE
from apollo_core.training.like_length import like_length
from apollo_core.training.loop import Extras, MicroBatch, train
from apollo_core.training.mixture import draw

Micro = TypeVar("Micro", bound=MicroBatch)


def train_part(
    name: str,
    module: nn.Module,
    loss: Callable[[Micro], Tensor],
    batch_of: Callable[[Sequence[int]], Micro],
    identity: PretrainIdentity,
    context: StageContext,
    *,
    rows: int,
    device: torch.device,
    lengths: Sequence[int] | None = None,
    whole_batches: bool = False,
) -> None:
    """Train `module` on rows drawn from a corpus, from where an earlier attempt stopped.

    Args:
        name: of the module, in what is reported.
        module: all of whose parameters are trained.
        loss: summed over its supervised terms, of a micro-batch.
        batch_of: the micro-batch of some rows of the corpus.
        identity: what is trained, how, and on how much.
        context: of the stage.
        rows: of the corpus.
        device: where the module is.
        lengths: of each row, where rows are padded to the longest beside them.
        whole_batches: a step's rows are one micro-batch, whatever the execution says: where the
            loss compares them with each other. Parts are small enough for it.

    Raises:
        StageFailed: as a training stage.
    """
    resuming = Resuming(checkpoints_of(identity, context), context, NOBODY_ELSE)
    order = draw([1.0], [rows], samples=identity.samples, seed=identity.seed).row.tolist()
    size = identity.batch_size
    if not whole_batches:
        size = micro_batch(context.execution, identity.batch_size, device)
    steps = _cut(order[resuming.first * identity.batch_size :], identity.batch_size)
    with torch_stream(identity.seed, "dropout"):
        train(
            {name: module},
            loss,
            (map(batch_of, _parts(step, size, lengths)) for step in steps),
            pretraining_recipe(identity, name),
            device=device,
            report=resuming.report,
            extras=Extras(
                resume=resuming.restore,
                keep=resuming.keep,
                fused=context.execution.fused_optimiser,
                lost_above=context.execution.diverged_above,
            ),
        )
    resuming.report_rest(identity.steps)


def _parts(
    rows: Sequence[int], size: int, lengths: Sequence[int] | None
) -> Iterator[Sequence[int]]:
    """A step's micro-batches: rows of like length together."""
    if lengths is None:
        return _cut(rows, size)
    ascending = sorted(rows, key=lengths.__getitem__)
    return (ascending[part] for part in like_length([lengths[row] for row in ascending], size))


def _cut(rows: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Pieces of `size`; the last may be smaller."""
    return (rows[at : at + size] for at in range(0, len(rows), size))
