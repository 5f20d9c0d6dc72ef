"""Sizes of a variant's model, and the FLOPs of one forward through each of its modules."""

from __future__ import annotations

from dataclasses import dataclass

from apollo_core.connector_sizes import connector_parameters
from apollo_core.design import Joining, Resampler
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.microworld import parts
from apollo_core.stages.identity import PretrainIdentity, TrainIdentity
from orchestrator.plan import Plan, StageNode, Variant
from orchestrator.weights import MICRO, encoder_reference, llm_reference

# Assumed text beside the pictures of one sample, in tokens: question, answer, chat marks.
_TEXT_TOKENS = {"micro": 40, "published": 160}


@dataclass(frozen=True)
class ModelSizes:
    """What the parts of a variant's model weigh and cost.

    Attributes:
        encoders, llm: sizes of the towers.
        resampler, frames_per_clip, joining: the connector's shape.
        text_tokens: assumed text of one sample.
    """

    encoders: tuple[VisionGeometry, ...]
    llm: LlmGeometry
    resampler: Resampler
    frames_per_clip: int
    joining: Joining
    text_tokens: int

    @classmethod
    def of(cls, plan: Plan, variant: Variant) -> ModelSizes:
        """Look up a variant's parts."""
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
            joining=variant.resolved.joining,
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
            dims=[encoder.dim for encoder in self.encoders],
            hidden=self.llm.hidden,
            frames_per_clip=self.frames_per_clip,
            joining=self.joining,
            per_frame=[encoder.frames == 1 for encoder in self.encoders],
        )

    def vision_forward(self) -> float:
        """FLOPs of one clip through all encoders."""
        return sum(_vision_forward(each, self.frames_per_clip) for each in self.encoders)

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
        return _llm_forward(self.llm, clips * self.clip_tokens, self.text_tokens)

    def parameters(self) -> dict[str, int]:
        """Parameters by module."""
        return {
            "vision": sum(encoder.parameters for encoder in self.encoders),
            "connector": self.connector,
            "llm": self.llm.parameters,
        }


def trained_parameters(plan: Plan, variant: Variant) -> dict[str, int]:
    """Parameters that each stage of a variant's schedule trains, by the stage's name."""
    modules = ModelSizes.of(plan, variant).parameters()
    identities = {name: plan.stages[key].identity for name, key in variant.steps.items()}
    return {
        name: sum(modules[module] for module in identity.lr.trained())
        for name, identity in identities.items()
        if isinstance(identity, TrainIdentity)
    }


@dataclass(frozen=True)
class PartSizes:
    """What a microworld part weighs, and what one sample of its pretraining costs.

    Attributes:
        parameters: of the part.
        forward: FLOPs of one sample forward.
    """

    parameters: int
    forward: float

    @classmethod
    def of(cls, node: StageNode, *, video_clips: int) -> PartSizes:
        """Look up the part that a pretraining stage makes.

        Args:
            node: that stage.
            video_clips: clips that `parts.PRETRAINING_SAMPLING` cuts a video into.
        """
        assert isinstance(node.identity, PretrainIdentity)
        part = node.identity.part
        found = parts.find(node.locations[part.fingerprint].removeprefix(MICRO), part.family)
        if isinstance(found, parts.MicroLlm):
            forward = _llm_forward(found.geometry, 0, _TEXT_TOKENS["micro"])
        elif found.learns_from == "image":
            forward = _vision_forward(found.geometry, 1)
        else:
            frames = parts.PRETRAINING_SAMPLING.frames_per_clip
            forward = video_clips * _vision_forward(found.geometry, frames)
        return cls(found.geometry.parameters, forward)


def _vision_forward(encoder: VisionGeometry, frames: int) -> float:
    tokens = encoder.tokens(frames)
    seen = encoder.side**2 if encoder.frames == 1 else tokens
    attention = 4 * encoder.depth * encoder.dim * seen
    return float(tokens * (2 * encoder.block_parameters + attention))


def _llm_forward(llm: LlmGeometry, visual: float, text: int) -> float:
    tokens = visual + text
    attention = 2 * llm.layers * llm.hidden * tokens
    head = 2 * llm.vocabulary * llm.hidden * text
    return tokens * (2 * llm.block_parameters + attention) + head
