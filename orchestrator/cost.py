"""What a plan costs: FLOPs from parameter and token counts, seconds from a rate, bytes kept.

An estimate to compare designs and to order work by, not a bill. Per token and parameter a forward
takes 2 FLOPs; a part that is trained takes 4 more, one that only passes the gradient on takes 2
more. Decoding, norms and optimiser steps are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from apollo_core.design import Resampler, Sampling
from apollo_core.geometry import LlmGeometry, VisionGeometry, connector_parameters
from apollo_core.stages.identity import (
    EvaluateIdentity,
    PretrainIdentity,
    Rates,
    Regime,
    TrainIdentity,
)
from orchestrator.plan import Plan, StageNode, Variant
from orchestrator.speeds import Speeds
from orchestrator.weights import MICRO, encoder_reference, llm_reference

# Assumed text beside the pictures of one sample, in tokens: question, answer, chat marks.
_TEXT_TOKENS = {"micro": 40, "published": 160}
# Assumed clips of a picture sample; each picture is encoded as one clip.
_PICTURES = {"text": 0, "image": 1, "multi_image": 3}
# ApolloBench has 400 questions; the microworld asks up to five of each video.
_ITEMS, _ITEMS_PER_MICRO_VIDEO = 400, 5
_BYTES_PER_PARAMETER = 4  # checkpoints are float32


@dataclass(frozen=True)
class StageCost:
    """One stage: FLOPs, seconds while it holds its resources, bytes of its result."""

    flops: float
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Total:
    """A sum over stages."""

    flops: float
    gpu_hours: float
    seconds: float


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


def plan_cost(plan: Plan, flops: Mapping[str, float], speeds: Speeds) -> PlanCost:
    """Cost of every stage and of the sweep.

    Args:
        plan: the stages.
        flops: by key, as `plan_flops` counts them.
        speeds: FLOPs per second.
    """
    sizes = _trained_bytes(plan)
    stages = {
        key: StageCost(flops[key], flops[key] / speeds.of(node.gpus), sizes[key])
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
    )


def plan_flops(plan: Plan) -> dict[str, float]:
    """FLOPs of every stage, by key."""
    counted: dict[str, float] = {}
    for variant in plan.variants:
        parts = _Parts.of(plan, variant)
        for key in variant.stages:
            if key not in counted:
                counted[key] = _stage_flops(plan, plan.stages[key], parts)
    return counted


@dataclass(frozen=True)
class _Parts:
    """Sizes of a variant's model."""

    encoders: tuple[VisionGeometry, ...]
    llm: LlmGeometry
    resampler: Resampler
    frames_per_clip: int
    text_tokens: int

    @classmethod
    def of(cls, plan: Plan, variant: Variant) -> _Parts:
        scale = plan.sweep.scales[variant.scale]
        llm = llm_reference(plan.sweep.models, scale.llm, scale.size)
        return cls(
            encoders=tuple(
                encoder_reference(plan.sweep.models, name).geometry
                for name in variant.resolved.encoders
            ),
            llm=llm.geometry,
            resampler=variant.resolved.resampler,
            frames_per_clip=variant.resolved.sampling.frames_per_clip,
            text_tokens=_TEXT_TOKENS["micro" if llm.source.startswith(MICRO) else "published"],
        )

    @property
    def clip_tokens(self) -> int:
        """Visual tokens of one clip."""
        return self.resampler.tokens_per_frame * self.frames_per_clip

    @property
    def connector(self) -> int:
        """Parameters of the connector."""
        return connector_parameters(
            self.resampler,
            dim=sum(encoder.dim for encoder in self.encoders),
            hidden=self.llm.hidden,
            frames_per_clip=self.frames_per_clip,
        )

    def vision_forward(self) -> float:
        """FLOPs of one clip through all encoders."""
        total = 0.0
        for encoder in self.encoders:
            tokens = encoder.tokens(self.frames_per_clip)
            seen = encoder.side**2 if encoder.frames == 1 else tokens
            attention = 4 * encoder.depth * encoder.dim * seen
            total += tokens * (2 * encoder.block_parameters + attention)
        return total

    def connector_forward(self) -> float:
        """FLOPs of one clip through the connector: its projections see every patch."""
        dim, hidden = sum(encoder.dim for encoder in self.encoders), self.llm.hidden
        slots = max(encoder.slots(self.frames_per_clip) for encoder in self.encoders)
        patches = slots * max(encoder.side for encoder in self.encoders) ** 2
        if self.resampler.kind != "perceiver":
            return 2.0 * patches * self.connector
        group = 2 * hidden * self.resampler.kv_heads * self.resampler.head_dim
        on_patches = dim * hidden + self.resampler.depth * group
        on_latents = self.connector - dim * hidden
        return 2.0 * (patches * on_patches + self.clip_tokens * on_latents)

    def llm_forward(self, clips: float) -> float:
        """FLOPs of one sample through the language model, causal attention included."""
        tokens = clips * self.clip_tokens + self.text_tokens
        attention = 2 * self.llm.layers * self.llm.hidden * tokens
        head = 2 * self.llm.vocabulary * self.llm.hidden * self.text_tokens
        return tokens * (2 * self.llm.block_parameters + attention) + head


def _stage_flops(plan: Plan, node: StageNode, parts: _Parts) -> float:
    identity = node.identity
    if isinstance(identity, PretrainIdentity):
        return 3 * identity.samples * parts.llm_forward(0)
    if isinstance(identity, EvaluateIdentity):
        return _items(plan) * sum(
            _evaluation(plan, each, identity, parts) for each in identity.regimes
        )
    passes = _passes(identity.lr)
    total = 0.0
    for share, clips in _clips_by_share(plan, node, identity):
        visual = clips * (
            passes["vision"] * parts.vision_forward()
            + passes["connector"] * parts.connector_forward()
        )
        total += share / 100 * (visual + passes["llm"] * parts.llm_forward(clips))
    return identity.samples * total


def _passes(rates: Rates) -> dict[str, int]:
    """Forwards' worth of work by module: 1, + 1 to pass the gradient on, + 1 more if trained.

    A frozen module passes the gradient on when something nearer to the input is trained.
    """
    trained = rates.trained()
    passes: dict[str, int] = {}
    below = False
    for module in ("vision", "connector", "llm"):
        own = module in trained
        passes[module] = 3 if own else 2 if below else 1
        below = below or own
    return passes


def _evaluation(plan: Plan, regime: Regime, identity: EvaluateIdentity, parts: _Parts) -> float:
    clips = {"video": clip_count(identity.sampling, plan.sweep.data.video_seconds)}.get(regime, 1)
    clips = 0 if regime == "text" else clips
    return clips * (parts.vision_forward() + parts.connector_forward()) + parts.llm_forward(clips)


def _items(plan: Plan) -> int:
    world = plan.world
    return world.bench_videos * _ITEMS_PER_MICRO_VIDEO if world else _ITEMS


def clip_count(sampling: Sampling, seconds: float) -> int:
    """Clips of a video that is `seconds` long."""
    if sampling.mode == "uniform":
        return sampling.frames // sampling.frames_per_clip
    length = sampling.frames_per_clip / sampling.fps
    return max(1, min(math.ceil(seconds / length), sampling.max_clips))


def _clips_by_share(
    plan: Plan, node: StageNode, identity: TrainIdentity
) -> list[tuple[float, int]]:
    """(per cent, clips in a sample) of each share of a stage's data."""
    modalities = _modalities(plan)
    video = clip_count(identity.sampling, plan.sweep.data.video_seconds)
    return [
        (share.share, _PICTURES.get(modalities.get(node.locations[share.sets[0]], "video"), video))
        for share in identity.data
    ]


def _modalities(plan: Plan) -> dict[str, str]:
    """Manifest's path -> modality, from the set itself or from where the mixture lists it."""
    data = plan.sweep.data
    listed = {name: m for m, names in data.mixture.by_modality().items() for name in names}
    return {
        str(plan.media_root / entry.manifest): entry.modality or listed.get(name, "video")
        for name, entry in data.sets.items()
    }


def _trained_bytes(plan: Plan) -> dict[str, int]:
    """Bytes of what each stage keeps: the parameters of the modules that it trains."""
    sizes: dict[str, int] = {}
    for variant in plan.variants:
        parts = _Parts.of(plan, variant)
        modules = {
            "vision": sum(encoder.parameters for encoder in parts.encoders),
            "connector": parts.connector,
            "llm": parts.llm.parameters,
        }
        for key in variant.stages:
            identity = plan.stages[key].identity
            trained: tuple[str, ...] = ()
            if isinstance(identity, PretrainIdentity):
                trained = ("llm",)
            elif isinstance(identity, TrainIdentity):
                trained = identity.lr.trained()
            sizes[key] = _BYTES_PER_PARAMETER * sum(modules[name] for name in trained)
    return sizes
