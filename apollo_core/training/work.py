"""What a step of training costs, and how fast it was."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Work:
    """What one micro-batch asks of the machine.

    Attributes:
        positions: of the language model, padding left out.
        flops: forward and backward.
    """

    positions: int = 0
    flops: float = 0.0


def speeds(
    work: Work, seconds: float, tokens_seen: int, peak_flops: float | None
) -> dict[str, float | int]:
    """What a step's event tells of its work; nothing where it was not counted.

    Args:
        work: of the step, on all ranks.
        seconds: it took.
        tokens_seen: positions through the language model so far, this step's included.
        peak_flops: of all ranks' devices, per second, where known.
    """
    if not work.positions:
        return {}
    told: dict[str, float | int] = {
        "positions": work.positions,
        "tokens_seen": tokens_seen,
        "tokens_per_second": work.positions / seconds,
    }
    if work.flops and peak_flops:
        told["mfu"] = work.flops / seconds / peak_flops
    return told
