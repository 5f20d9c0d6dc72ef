"""The state of one stage under way, in a folder that outlives its attempts.

One safetensors file, which is whole or not there: it is written beside its place, made durable, and
renamed over the one before. Plain values lie in it as JSON; nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

NAME = "state.safetensors"
_VALUES = "values"


@dataclass(frozen=True)
class Kept:
    """What a checkpoint holds."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


class StageCheckpoints:
    """Keeps the newest state of one stage.

    One is kept: 12 bytes a trained parameter (float32 weights and AdamW's two moments). While it is
    replaced there are two for a moment. It goes when the stage is done; that of a stage which is
    not done stays for the next attempt, until `apollo gc` finds that no sweep wants the stage.

    Args:
        folder: of this stage alone; made at the first write. None = keep nothing.
        minutes: between two checkpoints; 0 = never one.
        stage: says which stage the state is of; that of another is not taken.

    Attributes:
        ignored: why `find` did not take what lies there; empty if there is no reason.
    """

    def __init__(self, folder: Path | None, *, minutes: float, stage: str) -> None:
        self._folder = folder
        self._seconds = 60 * minutes
        self._stage = stage
        self._last = time.monotonic()
        self.ignored = ""

    def find(self) -> Kept | None:
        """The newest state, if there is one and it is whole and this stage's."""
        if self._folder is None or not (self._folder / NAME).exists():
            return None
        try:
            tensors, told = _read(self._folder / NAME)
            if told.get("checksum") != _checksum(tensors):
                self.ignored = "its bytes have changed since it was written"
            elif told.get("stage") != self._stage:
                self.ignored = "it is another stage's"
            else:
                values = json.loads(tensors.pop(_VALUES).numpy().tobytes())
                return Kept(tensors, values)
        except (SafetensorError, OSError, ValueError, LookupError) as error:
            self.ignored = f"it cannot be read: {error}"
        return None

    @property
    def keeps(self) -> bool:
        """Whether a state is kept at all."""
        return self._folder is not None and self._seconds > 0

    def is_due(self) -> bool:
        """Whether it is time to keep a state."""
        return self.keeps and time.monotonic() - self._last >= self._seconds

    @contextmanager
    def replaced(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> Iterator[None]:
        """Write a state; it takes the place of the one before when the block ends without an error.

        What the block does, such as asking whether the stage is still ours, comes last.
        """
        assert self._folder is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(values).encode()
        stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        stored[_VALUES] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
        beside = self._folder / f".{NAME}.{os.getpid()}.{os.urandom(4).hex()}"
        try:
            told = {"stage": self._stage, "checksum": _checksum(stored)}
            save_file(stored, beside, metadata=told)
            _make_durable(beside)
            yield
            beside.replace(self._folder / NAME)
            _make_durable(self._folder)
        finally:
            beside.unlink(missing_ok=True)
        self._last = time.monotonic()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        told = file.metadata() or {}
    return load_file(path), told


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 over names and bytes: against damage, not against malice."""
    total = 0
    for name in sorted(tensors):
        total = zlib.crc32(name.encode(), total)
        total = zlib.crc32(tensors[name].flatten().view(torch.uint8).numpy().data, total)
    return f"{total:08x}"


def _make_durable(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
