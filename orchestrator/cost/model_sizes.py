"""Sizes of a variant's model, and the FLOPs of one forward through each of its modules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from apollo_core.connector.branches import encoders_of_stills
from apollo_core.connector.connector_sizes import connector_parameters
from apollo_core.design import Joining, MemoryBank, Resampler
from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.microworld import parts
from apollo_core.stages.identity import PretrainIdentity, TrainIdentity
from orchestrator.cost.connector_flops import Grid, branch_flops
from orchestrator.plan.plan import Plan, StageNode, Variant
from orchestrator.plan.weights import MICRO, encoder_reference, llm_reference

# Assumed text beside the pictures of one sample, in tokens: question, answer, chat marks.
_TEXT_TOKENS = {"micro": 100, "published": 160}


@dataclass(frozen=True)
class ModelSizes:
    """What the parts of a variant's model weigh and cost.

    Attributes:
        encoders, llm: sizes of the towers.
        resampler, frames_per_clip, joining, memory: the connector's shape.
        text_tokens: assumed text of one sample.
    """

    encoders: tuple[VisionGeometry, ...]
    llm: LlmGeometry
    resampler: Resampler
    frames_per_clip: int
    joining: Joining
    memory: MemoryBank | None
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
            memory=variant.resolved.memory,
            text_tokens=_TEXT_TOKENS["micro" if llm.source.startswith(MICRO) else "published"],
        )

    @property
    def clip_tokens(self) -> int:
        """Visual tokens of one clip."""
        return self.resampler.tokens_per_frame * self.frames_per_clip

    @cached_property
    def connector(self) -> int:
        """Parameters of the connector."""
        return connector_parameters(
            self.resampler,
            dims=[encoder.dim for encoder in self.encoders],
            hidden=self.llm.hidden,
            frames_per_clip=self.frames_per_clip,
            joining=self.joining,
            per_frame=self._per_frame,
        )

    @property
    def _per_frame(self) -> list[bool]:
        return [encoder.frames == 1 for encoder in self.encoders]

    @property
    def conditioned(self) -> bool:
        """Whether a clip's tokens depend on the question about it."""
        return self.resampler.kind == "qformer" and self.resampler.text

    def vision_forward(self, *, still: bool = False) -> float:
        """FLOPs of one clip through the encoders that see it; image encoders see a still once."""
        return sum(
            _vision_forward(each, self.frames_seen(each, still=still))
            for each in self.seeing(still=still)
        )

    def pixels_forward(self, *, still: bool = False) -> float:
        """Those of `vision_forward` that are patch embeddings."""
        return sum(
            _pixels_forward(each, self.frames_seen(each, still=still))
            for each in self.seeing(still=still)
        )

    def connector_forward(self, *, still: bool = False) -> float:
        """FLOPs of one clip through its branch of the connector."""
        frames = self.frames_per_clip
        return branch_flops(
            self.resampler,
            [
                Grid((each.slots(frames), each.side, each.side), each.dim)
                for each in self.seeing(still=still)
            ],
            hidden=self.llm.hidden,
            frames=frames,
            words=self.text_tokens,
        )

    def seeing(self, *, still: bool) -> list[VisionGeometry]:
        """The encoders that see a clip; `still`: of one picture."""
        places = encoders_of_stills(self.joining, self._per_frame) if still else None
        return [self.encoders[place] for place in (places or range(len(self.encoders)))]

    def frames_seen(self, encoder: VisionGeometry, *, still: bool) -> int:
        """Frames of a clip that an encoder has to go through: an image encoder one of a still."""
        return 1 if still and encoder.frames == 1 else self.frames_per_clip

    def visual_tokens(self, clips: int) -> int:
        """Visual tokens that the language model reads of a medium of so many clips."""
        kept = clips if self.memory is None else min(clips, self.memory.long + self.memory.recent)
        return kept * self.clip_tokens

    def llm_forward(self, clips: int) -> float:
        """FLOPs of one sample through the language model, causal attention included."""
        return self.llm_prefix(clips) + self.llm_question(clips)

    def llm_attention(self, clips: int) -> float:
        """Those of `llm_forward` that are attention's scores and sums, of which half is masked."""
        length = self.visual_tokens(clips) + self.text_tokens
        return 2.0 * self.llm.layers * self.llm.hidden * length**2

    def llm_prefix(self, clips: int) -> float:
        """FLOPs of the visual tokens, which all questions about a video share."""
        return _llm_forward(self.llm, self.visual_tokens(clips))

    def llm_question(self, clips: int) -> float:
        """FLOPs of the text behind the visual tokens."""
        text = self.text_tokens
        return _llm_forward(self.llm, text, before=self.visual_tokens(clips), worded=text)

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
        geometry: of the part.
        items, length: of one sample: its texts and their positions, or its clips and their frames.
        learning: FLOPs of one sample forward and backward.
    """

    geometry: VisionGeometry | LlmGeometry
    items: int
    length: int
    learning: float

    @property
    def parameters(self) -> int:
        """Of the part."""
        return self.geometry.parameters

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
            text = _TEXT_TOKENS["micro"]
            forward = _llm_forward(found.geometry, text, worded=text)
            return cls(found.geometry, 1, text, 3 * forward)
        clips, frames = video_clips, parts.PRETRAINING_SAMPLING.frames_per_clip
        if found.learns_from == "image":
            clips, frames = 1, 1
        each = 3 * _vision_forward(found.geometry, frames) - _pixels_forward(found.geometry, frames)
        return cls(found.geometry, clips, frames, clips * each)


def _vision_forward(encoder: VisionGeometry, frames: int) -> float:
    """Patch embedding, blocks and attention; each of the latter sees a frame, the clip, or both."""
    tokens, place = encoder.tokens(frames), encoder.side**2
    seen = place if encoder.frames == 1 else tokens
    if encoder.family == "languagebind_video":  # an attention over space, and one over time
        seen = place + encoder.slots(frames)
    attention = 4 * encoder.depth * encoder.dim * seen
    blocks = tokens * (2 * encoder.block_parameters + attention)
    return float(blocks) + _pixels_forward(encoder, frames)


def _pixels_forward(encoder: VisionGeometry, frames: int) -> float:
    """The patch embedding alone."""
    return 6.0 * encoder.tokens(frames) * encoder.tubelet * encoder.patch**2 * encoder.dim


def _llm_forward(llm: LlmGeometry, tokens: int, *, before: int = 0, worded: int = 0) -> float:
    """Of `tokens` behind `before` others; logits are computed at `worded` of them."""
    attention = 2 * llm.layers * llm.hidden * ((before + tokens) ** 2 - before**2)
    head = 2 * llm.vocabulary * llm.hidden * worded
    return float(tokens * 2 * llm.block_parameters + attention + head)
