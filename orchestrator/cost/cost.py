"""What a plan costs: FLOPs from parameter and token counts, seconds from a rate, bytes kept.

An estimate to compare designs and to order work by, not a bill. Per token and parameter a forward
takes 2 FLOPs; a part that is trained takes 4 more, one that only passes the gradient on takes 2
more, and attention, which has no parameters, 4 more in either; nobody asks for a gradient of
pixels. Decoding, norms and optimiser steps are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apollo_core.microworld.parts import PRETRAINING_SAMPLING
from apollo_core.stages.identity import (
    EvaluateIdentity,
    PretrainIdentity,
    Regime,
    TrainIdentity,
)
from apollo_core.training.step_flops import passes
from orchestrator.cost.model_sizes import ModelSizes, PartSizes
from orchestrator.cost.speeds import Speeds
from orchestrator.cost.workload import clip_count, shares_of
from orchestrator.plan.plan import Plan, StageNode

# ApolloBench has 400 questions, taken to be of as many videos; the microworld asks up to five of
# each video.
_ITEMS, _ITEMS_PER_MICRO_VIDEO = 400, 5
_OPTIONS = 4  # assumed of a question
_BYTES_PER_PARAMETER = 4  # results are float32
# Of a stage under way, for each parameter that it trains: float32 weights and AdamW's two moments,
# and for a moment the checkpoint before beside the one that replaces it.
_CHECKPOINT = 2 * 12


@dataclass(frozen=True)
class StageCost:
    """One stage.

    Attributes:
        flops: of its work.
        seconds: while it holds its resources.
        bytes: of its result.
        samples: that it trains on.
        checkpoint: bytes of the state that it keeps while it runs, to go on from.
    """

    flops: float
    seconds: float
    bytes: int
    samples: int = 0
    checkpoint: int = 0


@dataclass(frozen=True)
class Total:
    """A sum over stages; `samples` of training, `bytes` of results."""

    flops: float
    gpu_hours: float
    seconds: float
    samples: int
    bytes: int


@dataclass(frozen=True)
class PlanCost:
    """Cost by stage key, and of the whole sweep with and without sharing.

    Attributes:
        stages: by key.
        separate: every replicate pays all its stages.
        shared: each stage once.
        speeds: what turned FLOPs into seconds.
    """

    stages: Mapping[str, StageCost]
    separate: Total
    shared: Total
    speeds: Speeds

    @property
    def saved_share(self) -> float:
        """Part of the FLOPs that sharing saves, 0 to 1."""
        return 1 - self.shared.flops / self.separate.flops

    @property
    def largest_checkpoint(self) -> int:
        """Bytes that the largest stage keeps while it runs; each stage that runs keeps its own."""
        return max(stage.checkpoint for stage in self.stages.values())


def plan_cost(plan: Plan, flops: Mapping[str, float], speeds: Speeds) -> PlanCost:
    """Cost of every stage and of the sweep.

    Args:
        plan: the stages.
        flops: by key, as `plan_flops` counts them.
        speeds: FLOPs per second.
    """
    sizes = _trained_bytes(plan)
    stages = {
        key: StageCost(
            flops=flops[key],
            seconds=flops[key] / speeds.of(node.gpus),
            bytes=sizes[key],
            samples=_samples(node),
            checkpoint=_CHECKPOINT * sizes[key] // _BYTES_PER_PARAMETER * (node.kind != "evaluate"),
        )
        for key, node in plan.stages.items()
    }
    separate = [key for variant in plan.variants for key in variant.stages]
    return PlanCost(
        stages=stages,
        separate=_total(plan, stages, separate),
        shared=_total(plan, stages, list(plan.stages)),
        speeds=speeds,
    )


def _total(plan: Plan, stages: Mapping[str, StageCost], keys: list[str]) -> Total:
    return Total(
        flops=math.fsum(stages[key].flops for key in keys),
        gpu_hours=math.fsum(stages[key].seconds * plan.stages[key].gpus for key in keys) / 3600,
        seconds=math.fsum(stages[key].seconds for key in keys),
        samples=sum(stages[key].samples for key in keys),
        bytes=sum(stages[key].bytes for key in keys),
    )


def _samples(node: StageNode) -> int:
    """Of a stage of a schedule; a part's pretraining is none."""
    return node.identity.samples if isinstance(node.identity, TrainIdentity) else 0


def plan_flops(plan: Plan) -> dict[str, float]:
    """FLOPs of every stage, by key."""
    counted: dict[str, float] = {}
    for variant in plan.variants:
        sizes = ModelSizes.of(plan, variant)
        for key in variant.stages:
            if key not in counted:
                counted[key] = _stage_flops(plan, plan.stages[key], sizes)
    return counted


def _stage_flops(plan: Plan, node: StageNode, sizes: ModelSizes) -> float:
    identity = node.identity
    if isinstance(identity, PretrainIdentity):
        return identity.samples * _part(plan, node).learning
    if isinstance(identity, EvaluateIdentity):
        return sum(_evaluation(plan, each, identity, sizes) for each in identity.regimes)
    if not isinstance(identity, TrainIdentity):
        return 0.0  # somebody else's model, whose size nothing here knows
    trained = identity.lr.trained()
    shares = shares_of(plan, node, identity, seconds=plan.sweep.data.video_seconds)
    return identity.samples * sum(
        share.share / 100 * sample_flops(sizes, trained, clips=share.clips, still=share.still)
        for share in shares
    )


def sample_flops(sizes: ModelSizes, trained: Collection[str], *, clips: int, still: bool) -> float:
    """FLOPs of one training sample, forward and backward.

    Args:
        sizes: the model.
        trained: modules with a rate above 0.
        clips: that it shows.
        still: whether each is one picture.
    """
    times = passes(trained)
    if not clips and "llm" not in trained:
        times |= {"llm": 1}  # text alone does not depend on the connector
    visual = clips * (
        times["vision"] * sizes.vision_forward(still=still)
        - ("vision" in trained) * sizes.pixels_forward(still=still)
        + times["connector"] * sizes.connector_forward(still=still)
    )
    # Attention has no weights: whoever passes a gradient on pays for all of its backward.
    attention = sizes.llm_attention(clips)
    matrices = sizes.llm_forward(clips) - attention
    return visual + times["llm"] * matrices + (3 if times["llm"] > 1 else 1) * attention


def _evaluation(plan: Plan, regime: Regime, identity: EvaluateIdentity, sizes: ModelSizes) -> float:
    """A video and its visual tokens once for all its questions, then each in each order."""
    still = regime == "center_frame"
    clips = 1 if still else clip_count(identity.sampling, plan.sweep.data.video_seconds)
    clips = 0 if regime == "text" else clips
    videos, questions = questions_asked(plan)
    asked = questions * min(identity.rotations, _OPTIONS)
    seen = clips * (sizes.vision_forward(still=still) + sizes.connector_forward(still=still))
    shared = seen + sizes.llm_prefix(clips)
    return (asked if sizes.conditioned else videos) * shared + asked * sizes.llm_question(clips)


def questions_asked(plan: Plan) -> tuple[int, int]:
    """Videos and questions of a benchmark."""
    world = plan.world
    if world is None:
        return _ITEMS, _ITEMS
    return world.bench_videos, world.bench_videos * _ITEMS_PER_MICRO_VIDEO


def _trained_bytes(plan: Plan) -> dict[str, int]:
    """Bytes of what each stage keeps: the parameters of the part or modules that it trains."""
    sizes: dict[str, int] = {}
    for variant in plan.variants:
        modules = ModelSizes.of(plan, variant).parameters()
        for key in variant.stages:
            node = plan.stages[key]
            kept = 0
            if isinstance(node.identity, PretrainIdentity):
                kept = _part(plan, node).parameters
            elif isinstance(node.identity, TrainIdentity):
                kept = sum(modules[name] for name in node.identity.lr.trained())
            sizes[key] = _BYTES_PER_PARAMETER * kept
    return sizes


def _part(plan: Plan, node: StageNode) -> PartSizes:
    clips = clip_count(PRETRAINING_SAMPLING, plan.sweep.data.video_seconds)
    return PartSizes.of(node, video_clips=clips)
