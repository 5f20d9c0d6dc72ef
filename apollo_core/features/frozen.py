"""Features of frozen encoders, medium by medium.

A matrix product's last digits depend on how many rows it has. So a medium goes through an encoder
in pieces that follow from the medium alone: whatever else is in the batch, and whether the features
are computed now or were kept by another stage, they are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from apollo_core.batch import Batch
from apollo_core.encoders import pixels
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.features.feature_keeper import MediumFeatures
from apollo_core.features.feature_use import View

# Clips that go through an encoder together; with frames of 384 pixels some 120 MB of input. Another
# number changes last digits, and so needs new versions of stages and features.
CHUNK = 16


@dataclass(frozen=True)
class _Medium:
    """One medium of a batch; `frames` are its clips, none where all features are known."""

    frames: UInt8[Tensor, "clips frames height width 3"]
    still: bool
    known: MediumFeatures | None


@torch.no_grad()
def frozen_features(
    encoders: Sequence[VideoEncoder], batch: Batch, *, sees: Mapping[View, Sequence[int]]
) -> list[Float[Tensor, "_ _ _ _ _"]]:
    """Each encoder's grid of the clips that it has to see, without a graph.

    What is computed is handed to whoever keeps it (`batch.known`).

    Args:
        encoders: in the design's order.
        batch: the clips.
        sees: by view, the places of the encoders that see it.
    """
    grids: list[list[Tensor]] = [[] for _ in encoders]
    for medium in _media(batch):
        for place in sees["still" if medium.still else "video"]:
            grids[place].append(_grid(place, encoders[place], medium))
    none = batch.clips.new_zeros((0, 1, 1, 1, 1), dtype=torch.float32)
    return [
        torch.cat(own) if own else none.expand(-1, -1, -1, -1, encoder.dim)
        for own, encoder in zip(grids, encoders, strict=True)
    ]


def encode_medium(
    encoder: VideoEncoder,
    frames: UInt8[Tensor, "clips frames height width 3"],
    *,
    still: bool,
) -> Float[Tensor, "clips slots rows columns dim"]:
    """One medium's clips through one encoder, `CHUNK` at a time.

    An image encoder sees the picture of a still once: one slot stands for all.
    """
    seen = frames[:, :1] if still and encoder.per_frame else frames
    return torch.cat([encoder(pixels.to_unit(clips)) for clips in seen.split(CHUNK)])


def _media(batch: Batch) -> Iterator[_Medium]:
    numbers, stills = batch.medium.tolist(), batch.still.tolist()
    begin = 0
    for medium, clips in groupby(range(len(numbers)), key=numbers.__getitem__):
        places = list(clips)
        known = batch.known[medium] if batch.known else None
        count = 0 if known is not None and known.whole else len(places)
        yield _Medium(batch.clips[begin : begin + count], stills[places[0]], known)
        begin += count


def _grid(
    place: int, encoder: VideoEncoder, medium: _Medium
) -> Float[Tensor, "clips slots rows columns dim"]:
    known, frames = medium.known, medium.frames
    record = known.records.get(place) if known is not None else None
    if record is not None:
        grid = record.grid(frames.device)
    else:
        grid = encode_medium(encoder, frames, still=medium.still)
        if known is not None:
            known.take(place, grid)
    if medium.still and encoder.per_frame:
        return grid.expand(-1, frames.shape[1], -1, -1, -1)
    return grid
