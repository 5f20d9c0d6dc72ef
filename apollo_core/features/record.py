"""One medium's features through one encoder, as bytes: how the medium was read, then the grid.

4 bytes   length of the head
head      JSON: dtype and shape of the grid; clips, duration and rate of the medium
rest      the grid's bytes, in the precision that it was computed in
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from apollo_core.clip import Clip
from apollo_core.media.frames import ClipFrames

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class HowRead:
    """What is known of a medium without its pixels; see `ClipFrames`."""

    clips: tuple[Clip, ...]
    duration: float
    rate: float

    @classmethod
    def of(cls, read: ClipFrames) -> HowRead:
        """Of frames that were read."""
        return cls(read.clips, read.duration, read.rate)

    def without_frames(self, *, size: int) -> ClipFrames:
        """As if it had been read, but no frame of it is there."""
        frames = len(self.clips[0].frames)
        none = np.zeros((0, size, size, 3), np.uint8)
        rows = np.zeros((0, frames), np.int64)
        return ClipFrames(none, rows, self.clips, self.duration, self.rate)


@dataclass(frozen=True)
class Record:
    """A kept grid; its bytes lie in a mapped file and are copied when they are asked for."""

    read: HowRead
    dtype: torch.dtype
    shape: tuple[int, ...]
    raw: np.ndarray

    def grid(self, device: torch.device) -> Float[Tensor, "clips slots rows columns dim"]:
        """The features, where they are needed."""
        flat = torch.from_numpy(self.raw.copy()).view(self.dtype)
        return flat.view(self.shape).to(device)


def packed(read: HowRead, grid: Float[Tensor, "clips slots rows columns dim"]) -> list[bytes]:
    """A record in pieces, to be written one behind the other."""
    body = grid.detach().cpu().contiguous().flatten().view(torch.uint8).numpy()
    head = {
        "dtype": str(grid.dtype).removeprefix("torch."),
        "shape": list(grid.shape),
        "clips": [[one.start, one.end, one.frames, one.times] for one in read.clips],
        "duration": read.duration,
        "rate": read.rate,
    }
    text = json.dumps(head).encode()
    return [_LENGTH.pack(len(text)), text, body.tobytes()]


def unpacked(raw: np.ndarray) -> Record:
    """From all bytes of a record, whose checksum was right."""
    (length,) = _LENGTH.unpack_from(raw.data)
    end = _LENGTH.size + length
    head: dict[str, Any] = json.loads(raw[_LENGTH.size : end].tobytes())
    read = HowRead(_clips(head["clips"]), head["duration"], head["rate"])
    return Record(read, getattr(torch, head["dtype"]), tuple(head["shape"]), raw[end:])


def _clips(rows: Sequence[Sequence[Any]]) -> tuple[Clip, ...]:
    return tuple(
        Clip(start, end, tuple(frames), tuple(times)) for start, end, frames, times in rows
    )
