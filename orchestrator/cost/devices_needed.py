"""How many GPUs of a size a stage needs, beside how many the file gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestrator.cost.memory import Sharding, StageMemory
from orchestrator.cost.model_sizes import ModelSizes
from orchestrator.cost.planned_memory import AUTO_SIZES, stage_memory
from orchestrator.plan.plan import Plan, StageNode, Variant

# Devices that are tried for a stage, doubled from one.
MOST_DEVICES = 64


def devices_needed(
    plan: Plan,
    node: StageNode,
    sizes: ModelSizes,
    *,
    device: float,
    checkpointing: bool | None = None,
) -> StageMemory | None:
    """The fewest devices that hold a stage; None where `MOST_DEVICES` do not.

    With `micro_batch: auto` it may have to go on with one sample at once. On one number of devices
    the larger micro-batch is preferred, and `ddp`.

    Args:
        plan, node, sizes: as `stage_memory` takes them.
        device: bytes of one.
        checkpointing: instead of `execution.activation_checkpointing`.
    """
    most = MOST_DEVICES if node.kind == "train" else 1
    if not any(
        way.fits(device) for way in _ways(plan, node, sizes, checkpointing, fewest=most, most=most)
    ):
        return None
    ways = _ways(plan, node, sizes, checkpointing, fewest=1, most=most)
    return next(way for way in ways if way.fits(device))


def _ways(
    plan: Plan,
    node: StageNode,
    sizes: ModelSizes,
    checkpointing: bool | None,  # noqa: FBT001 - a value to hand on
    *,
    fewest: int,
    most: int,
) -> Iterator[StageMemory]:
    """On more and more devices, doubled from the fewest; on each number the largest micro-batch
    first."""
    execution = plan.sweep.execution
    given = execution.micro_batch
    shardings: tuple[Sharding, ...] = ("ddp", "fsdp")
    if execution.sharding != "auto":
        shardings = (execution.sharding,)
    devices = fewest
    while devices <= most:
        for size in AUTO_SIZES if given == "auto" else (given,):
            for sharding in shardings if devices > 1 else ("ddp",):
                yield stage_memory(
                    plan,
                    node,
                    sizes,
                    devices=devices,
                    sharding=sharding,
                    micro_batch=size,
                    checkpointing=checkpointing,
                )
        devices *= 2


@dataclass(frozen=True)
class StageNeed:
    """The stages of one name at one scale, by the fullest of them.

    Attributes:
        scale, label: of the stages.
        design: of the fullest.
        given: GPUs that the file gives each.
        least: memory on each of these, with as small a micro-batch as the file allows.
        needed: on the fewest devices that hold it; None where none do.
        recomputing: the same with `activation_checkpointing`, asked where `needed` is more than is
            given.
    """

    scale: str
    label: str
    design: str
    given: float
    least: StageMemory
    needed: StageMemory | None
    recomputing: StageMemory | None

    @property
    def fits(self) -> bool:
        """Whether the file gives enough."""
        return self.needed is not None and self.needed.devices <= max(1, self.given)

    @property
    def in_words(self) -> str:
        """What it needs beside what it has."""
        name = f"{self.scale} {self.label} of {self.design}"
        if self.needed is not None:
            return f"{name} needs {self.needed.devices}, file says {self.given:g}"
        return f"{name} fits on no {MOST_DEVICES}, file says {self.given:g}"


def stage_needs(
    plan: Plan, memory: Mapping[str, StageMemory], *, device: float
) -> tuple[StageNeed, ...]:
    """By scale and name of stage, whether stages fit on the GPUs that the file gives them.

    Args:
        plan: the stages; those without a GPU are left out.
        memory: of each, as `plan_memory` tells.
        device: bytes of one GPU.
    """
    fullest: dict[tuple[str, str], tuple[str, Variant]] = {}
    for variant in plan.variants:
        for key in variant.stages:
            node = plan.stages[key]
            name = variant.scale, node.label
            known = fullest.get(name)
            if node.gpus > 0 and (known is None or memory[known[0]].total < memory[key].total):
                fullest[name] = key, variant
    return tuple(
        _need(plan, variant, plan.stages[key], device) for key, variant in fullest.values()
    )


def _need(plan: Plan, variant: Variant, node: StageNode, device: float) -> StageNeed:
    sizes = ModelSizes.of(plan, variant)
    needed = devices_needed(plan, node, sizes, device=device)
    tight = needed is None or needed.devices > max(1, node.gpus)
    again = devices_needed(plan, node, sizes, device=device, checkpointing=True) if tight else None
    own = _ways(plan, node, sizes, None, fewest=node.processes, most=node.processes)
    least = min(own, key=lambda way: way.total)
    return StageNeed(variant.scale, node.label, variant.design, node.gpus, least, needed, again)
