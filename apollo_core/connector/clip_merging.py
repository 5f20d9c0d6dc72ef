"""The memory bank at work: earlier clips of a long video are averaged with their likes.

What the text says of it is `apollo_core.connector.memory`.
"""

from __future__ import annotations

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from apollo_core.design import MemoryBank

# Similarities that agree to so many digits are a tie: which pair a rounding error prefers would
# depend on the device and on what else is in the batch.
_DIGITS = 5


def remember(
    tokens: Float[Tensor, "clips tokens hidden"],
    memory: MemoryBank,
    *,
    medium: Int[Tensor, " clips"],
    still: Bool[Tensor, " clips"],
) -> Float[Tensor, "places tokens hidden"]:
    """Keep `memory.long + memory.recent` clips of each longer video.

    Args:
        tokens: of all clips.
        memory: the bound.
        medium: for each clip, the number of the image or video that it is of; a medium's clips
            stand together.
        still: for each clip, whether it is one picture; pictures are never merged.
    """
    kept: list[Tensor] = []
    _, lengths = torch.unique_consecutive(medium, return_counts=True)
    for clips, pictures in zip(
        tokens.split(lengths.tolist()), still.split(lengths.tolist()), strict=True
    ):
        if len(clips) <= memory.long + memory.recent or bool(pictures.any()):
            kept.append(clips)
        else:
            kept += [merge(clips[: -memory.recent], memory.long), clips[-memory.recent :]]
    return torch.cat(kept)


def merge(
    clips: Float[Tensor, "clips tokens hidden"], count: int
) -> Float[Tensor, "kept tokens hidden"]:
    """Average the most similar neighbours until `count` are left.

    An average weighs each part by the clips that it holds, so in the end it is the plain mean over
    a run of clips: the runs are found without gradient, the means carry it.
    """
    with torch.no_grad(), torch.autocast(clips.device.type, enabled=False):
        flat = rearrange(clips, "b n d -> b (n d)").float()
        products = (flat @ flat.T).double().cpu().numpy()
    lengths = runs(products, count)
    return torch.stack([run.mean(0) for run in clips.split(lengths)])


def runs(products: Float64[np.ndarray, "clips clips"], count: int) -> list[int]:
    """Lengths of the `count` runs that clips are merged into, the most similar neighbours first.

    Similarity is the cosine between the averages of two runs. With S(a, b) the sum of the inner
    products between the clips of runs a and b it is S(a, b) / sqrt(S(a, a) S(b, b)), since the
    lengths of the runs cancel. Ties go to the earliest.

    Args:
        products: inner products between the clips.
        count: at most as many as there are clips.
    """
    sums = products.copy()
    lengths = [1] * len(sums)
    while len(lengths) > count:
        norms = np.sqrt(np.clip(np.diagonal(sums), 1e-12, None))
        alike = np.diagonal(sums, 1) / (norms[:-1] * norms[1:])
        at = int(np.round(alike, _DIGITS).argmax())  # numpy's is the first of several
        lengths[at : at + 2] = [lengths[at] + lengths[at + 1]]
        starts = [index for index in range(len(sums)) if index != at + 1]
        sums = np.add.reduceat(np.add.reduceat(sums, starts, axis=0), starts, axis=1)
    return lengths
