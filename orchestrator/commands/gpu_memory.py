"""`--gpu-memory`, of the commands that fit stages to GPUs."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.option_bytes import option_bytes

GpuMemory = Annotated[
    str | None,
    typer.Option(
        "--gpu-memory", help="of one of your GPUs; else 80GB, or in a run on this machine its own"
    ),
]


def gpu_bytes(given: str | None, *, here: bool = True) -> float:
    """Bytes of one GPU: as given, else of the smallest of this machine, else of an A100.

    Args:
        given: text with a unit.
        here: whether stages will run on this machine.

    Raises:
        BadInput: it is no size that a GPU can have.
    """
    from orchestrator.checkup.machine import least_gpu_bytes
    from orchestrator.cost.planned_memory import ASSUMED_DEVICE

    if given is None:
        return (least_gpu_bytes() if here else 0) or ASSUMED_DEVICE
    return option_bytes("--gpu-memory", given, least="1MB", most="1PB")
