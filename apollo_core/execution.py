"""Where and how fast a stage runs; never part of a stage key."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from apollo_core.frozen import Frozen


class Execution(Frozen):
    """Execution fields: they may change the last digit of a sum, never what is computed.

    Attributes:
        micro_batch: samples per forward; `auto` takes what the device is known to hold.
        workers: decoding processes beside the training process.
        threads: torch threads of a stage on a CPU.
        device: `auto` takes a GPU where one is visible.
        frame_cache_mb: decoded frames that a worker keeps, in MiB.
        decode_deadline_s: seconds after which a decoder that does not answer is killed.
    """

    micro_batch: PositiveInt | Literal["auto"] = "auto"
    workers: PositiveInt = 1
    threads: PositiveInt = 1
    device: Literal["auto", "cpu", "cuda"] = "auto"
    frame_cache_mb: NonNegativeInt = 512
    decode_deadline_s: PositiveInt = 30
