"""Memory that a model needs on each device that trains or asks it, from its sizes alone.

What `apollo_core.training.loop` keeps, for each parameter: 4 bytes of weight, since weights stay in
float32 whatever the precision; and for one that is trained 4 of gradient and 8 of AdamW's two
moments. Beside them the activations of one micro-batch (`orchestrator.cost.activations`). Encoders
and connector are whole on each device; `fsdp` shares the language model out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from apollo_core.stages.identity import Precision
from orchestrator.cost.activations import evaluating_activations, training_activations
from orchestrator.cost.load_bytes import Load
from orchestrator.cost.model_sizes import ModelSizes

Sharding = Literal["ddp", "fsdp"]

# Of a device: the rest goes to the driver's context and to what the allocator cannot put together.
USABLE = 0.9


@dataclass(frozen=True)
class StageMemory:
    """Bytes on each device of a stage at its fullest.

    Attributes:
        weights: of all modules; with `fsdp` also the blocks that are put together at one time.
        gradients, optimiser: of what is trained.
        activations: of one micro-batch, forward and backward.
        micro_batch: its samples.
        accumulates: whether a step has several micro-batches on a device, so that the gradients of
            the earlier ones are there beside the activations of the next.
        devices: that the stage is spread over.
        sharding: what each of these holds.
    """

    weights: int
    gradients: int
    optimiser: int
    activations: int
    micro_batch: int
    accumulates: bool
    devices: int = 1
    sharding: Sharding = "ddp"

    @property
    def total(self) -> int:
        """All of it; gradients come as activations go where one micro-batch is a step."""
        both = (self.gradients, self.activations)
        return self.weights + self.optimiser + (sum(both) if self.accumulates else max(both))

    def fits(self, device: float) -> bool:
        """Whether a device of so many bytes holds it, with what it needs for itself."""
        return self.total <= USABLE * device


def training_memory(
    sizes: ModelSizes,
    trained: Collection[str],
    load: Load,
    *,
    precision: Precision,
    accumulates: bool,
    checkpointing: bool = False,
    fused: bool = True,
    devices: int = 1,
    sharding: Sharding = "ddp",
) -> StageMemory:
    """Memory of a training stage on each device.

    Args:
        sizes: the model.
        trained: modules with a rate above 0.
        load: the fullest micro-batch.
        precision: of the arithmetic.
        accumulates: whether a step has several micro-batches on each device.
        checkpointing: `execution.activation_checkpointing`.
        fused: `execution.fused_optimiser`; another one makes copies in passing.
        devices, sharding: how many share the stage, and how.
    """
    modules = sizes.parameters()
    held = {name: float(count) for name, count in modules.items()}
    together = 0.0
    if sharding == "fsdp":
        held["llm"] /= devices
        together = _put_together(sizes)
    learned = sum(held[name] for name in trained)
    passing = together if "llm" in trained else 0.0
    activations = training_activations(
        sizes, trained, load, precision=precision, checkpointing=checkpointing
    )
    return StageMemory(
        weights=round(4 * (sum(held.values()) + together)),
        gradients=round(4 * (learned + passing)),
        optimiser=round((8 if fused else 12) * learned),
        activations=round(activations),
        micro_batch=load.samples,
        accumulates=accumulates,
        devices=devices,
        sharding=sharding,
    )


def _put_together(sizes: ModelSizes) -> float:
    """Parameters whole on every device beside the shards: what is outside the blocks all the time,
    a block while it runs, and the one that is fetched meanwhile."""
    llm = sizes.llm
    return llm.parameters - llm.block_parameters + 2 * llm.block_parameters / llm.layers


def evaluation_memory(
    sizes: ModelSizes, load: Load, *, precision: Precision, rows: int
) -> StageMemory:
    """Memory of an evaluation: weights, and one medium with `rows` questions at once."""
    activations = evaluating_activations(sizes, load, precision=precision, rows=rows)
    weights = 4 * sum(sizes.parameters().values())
    return StageMemory(weights, 0, 0, round(activations), micro_batch=rows, accumulates=False)
