"""Memory that a stage needs on each of its devices, from configuration files alone.

What `apollo_core.training.loop` keeps, for each parameter: 4 bytes of weight, since weights stay in
float32 whatever the precision; and for one that is trained 4 of gradient and 8 of AdamW's two
moments. Beside them the activations of one micro-batch (`orchestrator.cost.activations`), taken at
its fullest: every sample as long as the stage's sampling lets it be. Encoders and connector are
whole on each device; `fsdp` shares the language model out.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from apollo_core.design import Sampling
from apollo_core.execution import Execution
from apollo_core.microworld.parts import PRETRAINING_SAMPLING
from apollo_core.stages.identity import (
    EvaluateIdentity,
    Precision,
    PretrainIdentity,
    TrainIdentity,
)
from orchestrator.cost.activations import (
    Load,
    evaluating_activations,
    pretraining_activations,
    training_activations,
)
from orchestrator.cost.model_sizes import ModelSizes, PartSizes
from orchestrator.cost.workload import clip_count, shares_of
from orchestrator.plan.plan import Plan, StageNode

Sharding = Literal["ddp", "fsdp"]

# Of a device: the rest goes to the driver's context and to what the allocator cannot put together.
USABLE = 0.9
# Bytes of one where nobody says: an A100 or H100.
ASSUMED_DEVICE = 80e9
# What `micro_batch: auto` takes on a GPU (`apollo_core.stages.device`), and its halves.
AUTO_SIZES = (8, 4, 2, 1)
_OPTIONS = 4  # assumed of a question


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


def stage_memory(
    plan: Plan,
    node: StageNode,
    sizes: ModelSizes,
    *,
    devices: int | None = None,
    sharding: Sharding = "ddp",
    micro_batch: int | None = None,
    checkpointing: bool | None = None,
) -> StageMemory:
    """Memory of a planned stage on each of its devices.

    Args:
        plan: tells how it is run, and how long its videos are.
        node: the stage.
        sizes: of a variant that has the stage.
        devices: instead of the GPUs that the file gives it.
        sharding: what each holds.
        micro_batch: samples on one device at once, instead of what the file says or `auto` takes.
        checkpointing: instead of `execution.activation_checkpointing`.
    """
    identity = node.identity
    over = devices or node.processes
    if isinstance(identity, TrainIdentity):
        recompute = plan.sweep.execution.activation_checkpointing
        return _trained(
            plan,
            node,
            identity,
            sizes,
            devices=over,
            sharding=sharding,
            asked=micro_batch,
            checkpointing=recompute if checkpointing is None else checkpointing,
        )
    if isinstance(identity, EvaluateIdentity):
        return _evaluated(plan, node, identity, sizes, asked=micro_batch)
    return _pretrained(plan, node, identity)


def _trained(
    plan: Plan,
    node: StageNode,
    identity: TrainIdentity,
    sizes: ModelSizes,
    *,
    devices: int,
    sharding: Sharding,
    asked: int | None,
    checkpointing: bool,
) -> StageMemory:
    execution = plan.sweep.execution
    share = math.ceil(identity.batch_size / devices)
    size = min(asked or _samples(execution, node, identity.batch_size), share)
    shown = shares_of(plan, node, identity, seconds=_longest(plan))
    # A clip of a video takes at least as much as a picture's, and more of them more.
    fullest = (
        max(
            (each for each in shown if each.still == still),
            key=lambda each: each.clips,
            default=None,
        )
        for still in (False, True)
    )
    moving, still = fullest
    if moving and still and moving.clips >= still.clips:
        still = None
    loads = [Load(size, each.clips, each.still) for each in (moving, still) if each]
    found = [
        training_memory(
            sizes,
            identity.lr.trained(),
            load,
            precision=identity.precision,
            accumulates=size < share,
            checkpointing=checkpointing,
            fused=execution.fused_optimiser,
            devices=devices,
            sharding=sharding,
        )
        for load in loads
    ]
    return max(found, key=lambda each: each.total)


def _evaluated(
    plan: Plan,
    node: StageNode,
    identity: EvaluateIdentity,
    sizes: ModelSizes,
    *,
    asked: int | None,
) -> StageMemory:
    most = asked or _samples(plan.sweep.execution, node, 32)
    lines = _OPTIONS if identity.scoring == "options" else identity.rotations
    asked_of_one = lines * (1 if plan.world is None else 5)
    clips = _clips(plan, identity.sampling)
    seen = {"video": clips, "shuffled": clips, "center_frame": 1, "text": 0}
    found = [
        evaluation_memory(
            sizes,
            Load(1, seen[regime], still=regime == "center_frame"),
            precision=identity.precision,
            rows=min(most, asked_of_one if seen[regime] else most),
        )
        for regime in identity.regimes
    ]
    return max(found, key=lambda each: each.total)


def _pretrained(plan: Plan, node: StageNode, identity: PretrainIdentity) -> StageMemory:
    """A part is small: its batch goes through whole, on one device."""
    part = PartSizes.of(node, video_clips=_clips(plan, PRETRAINING_SAMPLING))
    activations = pretraining_activations(
        part.geometry,
        items=identity.batch_size * part.items,
        length=part.length,
        precision=identity.precision,
    )
    count = part.parameters
    return StageMemory(
        weights=4 * count,
        gradients=4 * count,
        optimiser=8 * count,
        activations=round(activations),
        micro_batch=identity.batch_size,
        accumulates=False,
    )


def _samples(execution: Execution, node: StageNode, batch: int) -> int:
    """What `apollo_core.stages.device.micro_batch` takes."""
    if execution.micro_batch != "auto":
        return execution.micro_batch
    on_gpu = node.gpus > 0 and execution.device != "cpu"
    return min(AUTO_SIZES[0], batch) if on_gpu else batch


def _longest(plan: Plan) -> float:
    """Seconds of the longest video: of a generated world known, else more than any budget."""
    return math.inf if plan.world is None else plan.world.max_seconds


def _clips(plan: Plan, sampling: Sampling) -> int:
    return clip_count(sampling, _longest(plan))


def plan_memory(plan: Plan, *, device: float) -> dict[str, StageMemory]:
    """Memory of every stage as it is going to run, by key.

    Args:
        plan: the stages.
        device: bytes of one GPU; `sharding: auto` shards what does not fit on it.
    """
    found: dict[str, StageMemory] = {}
    for variant in plan.variants:
        sizes = ModelSizes.of(plan, variant)
        for key in variant.stages:
            if key not in found:
                found[key] = _as_run(plan, plan.stages[key], sizes, device)
    return found


def _as_run(plan: Plan, node: StageNode, sizes: ModelSizes, device: float) -> StageMemory:
    asked = plan.sweep.execution.sharding
    several = node.kind == "train" and node.gpus > 1
    plain = stage_memory(plan, node, sizes)
    if not several or asked == "ddp" or (asked == "auto" and plain.fits(device)):
        return plain
    return stage_memory(plan, node, sizes, sharding="fsdp")
