"""Memory that each stage of a plan needs on each of its devices.

Micro-batches are taken at their fullest: every sample as long as the stage's sampling lets it be.
"""

from __future__ import annotations

import math
from dataclasses import replace

from apollo_core.design import Sampling
from apollo_core.execution import Execution
from apollo_core.microworld.parts import PRETRAINING_SAMPLING
from apollo_core.stages.identity import EvaluateIdentity, PretrainIdentity, TrainIdentity
from orchestrator.cost.activations import pretraining_activations
from orchestrator.cost.load_bytes import Load
from orchestrator.cost.memory import Sharding, StageMemory, evaluation_memory, training_memory
from orchestrator.cost.model_sizes import ModelSizes, PartSizes
from orchestrator.cost.workload import clip_count, shares_of
from orchestrator.plan.plan import Plan, StageNode

# Bytes of a device where nobody says: an A100 or H100.
ASSUMED_DEVICE = 80e9
# What `micro_batch: auto` may begin with on a GPU: the largest that fits.
AUTO_SIZES = (32, 16, 8, 4, 2, 1)
# What it takes where no plan knows the memory (`apollo_core.stages.device`).
_UNPLANNED = 8
_OPTIONS = 4  # assumed of a question


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
    if isinstance(identity, PretrainIdentity):
        return _pretrained(plan, node, identity)
    # Somebody else's model, of which only its own code knows the size.
    return StageMemory(0, 0, 0, 0, micro_batch=_UNPLANNED, accumulates=False)


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
    return replace(max(found, key=lambda each: each.total), micro_batch=most)


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


def is_fitted(node: StageNode, execution: Execution) -> bool:
    """Whether a plan says with how many samples at once a stage begins."""
    return execution.micro_batch == "auto" and node.gpus > 0 and execution.device != "cpu"


def _samples(execution: Execution, node: StageNode, batch: int) -> int:
    """What `apollo_core.stages.device.micro_batch` takes."""
    if execution.micro_batch != "auto":
        return execution.micro_batch
    on_gpu = node.gpus > 0 and execution.device != "cpu"
    return min(_UNPLANNED, batch) if on_gpu else batch


def _longest(plan: Plan) -> float:
    """Seconds of the longest video: of a generated world known, else more than any budget."""
    return math.inf if plan.world is None else plan.world.max_seconds


def _clips(plan: Plan, sampling: Sampling) -> int:
    return clip_count(sampling, _longest(plan))


def plan_memory(plan: Plan, *, device: float) -> dict[str, StageMemory]:
    """Memory of every stage as it is going to run, by key.

    Args:
        plan: the stages.
        device: bytes of one GPU; `sharding: auto` shards what does not fit on it, and
            `micro_batch: auto` begins with the largest micro-batch that does.
    """
    found: dict[str, StageMemory] = {}
    for variant in plan.variants:
        sizes = ModelSizes.of(plan, variant)
        for key in variant.stages:
            if key not in found:
                found[key] = _as_run(plan, plan.stages[key], sizes, device)
    return found


def _as_run(plan: Plan, node: StageNode, sizes: ModelSizes, device: float) -> StageMemory:
    sharding = _sharding(plan, node, sizes, device)
    execution = plan.sweep.execution
    if not is_fitted(node, execution):
        return stage_memory(plan, node, sizes, sharding=sharding)
    ways = [
        stage_memory(plan, node, sizes, sharding=sharding, micro_batch=size) for size in AUTO_SIZES
    ]
    # Several stages may share a device; each then begins with what fits into its part.
    room = device * min(1.0, node.gpus)
    return next((way for way in ways if way.fits(room)), ways[-1])


def _sharding(plan: Plan, node: StageNode, sizes: ModelSizes, device: float) -> Sharding:
    asked = plan.sweep.execution.sharding
    if node.kind != "train" or node.gpus <= 1:
        return "ddp"
    if asked != "auto":
        return asked
    return "ddp" if stage_memory(plan, node, sizes).fits(device) else "fsdp"
