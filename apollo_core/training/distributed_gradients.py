"""Gradients of several ranks: summed where each holds them whole, clipped over all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.tensor import DTensor

from apollo_core.training.distributed import Peers

# Gradients that are summed in one go.
_BUCKET_BYTES = 64 * 2**20


def sum_gradients(parameters: Sequence[Tensor], peers: Peers) -> None:
    """Sum the gradients of parameters that every rank holds whole; shards are summed already.

    A parameter that only some ranks reached (text alone reaches no connector) counts as 0 on the
    others; one that none reached keeps no gradient, as with one process.
    """
    if peers.size == 1:
        return
    whole = [each for each in parameters if not isinstance(each, DTensor)]
    used = torch.tensor([each.grad is not None for each in whole], dtype=torch.int32)
    dist.all_reduce(used, dist.ReduceOp.MAX)
    gradients: list[Tensor] = []
    for parameter, reached in zip(whole, used.tolist(), strict=True):
        if reached:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
    for bucket in _buckets(gradients):
        _sum_together(bucket)


def clip_gradients(parameters: list[Tensor], most: float) -> float:
    """Scale gradients so that their norm, over all and over all ranks, is at most `most`.

    Returns:
        the norm before.
    """
    sharded = [each for each in parameters if isinstance(each, DTensor)]
    if not sharded:
        return nn.utils.clip_grad_norm_(parameters, most).item()
    whole = [each for each in parameters if not isinstance(each, DTensor)]
    norms = [_norm(sharded), _norm(whole)]
    norm = torch.linalg.vector_norm(torch.stack(norms))
    for kind in (sharded, whole):
        nn.utils.clip_grads_with_norm_(kind, most, norm)
    return norm.item()


def _norm(parameters: Sequence[Tensor]) -> Tensor:
    grads = [each.grad for each in parameters if each.grad is not None]
    norm = nn.utils.get_total_norm(grads)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """In order, tensors of one type together, up to so many bytes."""
    bucket: list[Tensor] = []
    held = 0
    for tensor in tensors:
        if bucket and (tensor.dtype != bucket[0].dtype or held + tensor.nbytes > _BUCKET_BYTES):
            yield bucket
            bucket, held = [], 0
        bucket.append(tensor)
        held += tensor.nbytes
    if bucket:
        yield bucket


def _sum_together(tensors: Sequence[Tensor]) -> None:
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    dist.all_reduce(flat)
    parts = flat.split([tensor.numel() for tensor in tensors])
    for tensor, part in zip(tensors, parts, strict=True):
        tensor.copy_(part.view_as(tensor))
