"""What a design is made of: one frozen value per axis, valid or refused.

Fields are identity: each of them changes results, and a default never changes without a new
`STAGE_VERSION` (see `apollo_core.stages.identity`).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from apollo_core.frozen import Frozen

MODALITIES = ("text", "image", "multi_image", "video")
MODULES = ("vision", "connector", "llm")

# Checks and no part of a stage key. The bounds are far beyond any use; within them, neither a
# product of two of these numbers nor a division by one overflows.
Count = Annotated[int, Field(ge=1, le=10**6)]
SampleCount = Annotated[int, Field(ge=1, le=10**12)]
FrameRate = Annotated[float, Field(ge=0.001, le=1000, description="frames per second in a clip")]


class FpsSampling(Frozen):
    """Clips of frames at a constant rate, as many as the video is long.

    Over `max_clips`, clips are spread over the whole video and the rate inside each is kept.
    """

    mode: Literal["fps"]
    fps: FrameRate
    frames_per_clip: Count
    max_clips: Annotated[Count, Field(description="the token budget, in clips")]


class UniformSampling(Frozen):
    """A fixed number of frames, spread evenly over the video whatever its length."""

    mode: Literal["uniform"]
    frames: Count
    frames_per_clip: Count

    @model_validator(mode="after")
    def _whole_clips(self) -> UniformSampling:
        if self.frames % self.frames_per_clip:
            raise ValueError(
                f"frames={self.frames} is not a whole number of clips of "
                f"frames_per_clip={self.frames_per_clip}; make it a multiple"
            )
        return self


Sampling = Annotated[FpsSampling | UniformSampling, Field(discriminator="mode")]


class PerceiverResampler(Frozen):
    """Learned latents attend to a clip's patches: `tokens_per_frame * frames_per_clip` tokens."""

    kind: Literal["perceiver"]
    tokens_per_frame: Count
    depth: Count = 1
    heads: Count = 16
    kv_heads: Count = 4
    head_dim: Count = 96
    mlp_ratio: Count = 4

    @model_validator(mode="after")
    def _whole_groups(self) -> PerceiverResampler:
        if self.heads % self.kv_heads:
            raise ValueError(f"heads={self.heads} is not a multiple of kv_heads={self.kv_heads}")
        return self


class MlpAvgResampler(Frozen):
    """Two-layer MLP, then adaptive average pooling to `tokens_per_frame` per frame."""

    kind: Literal["mlp_avg"]
    tokens_per_frame: Count


class ConvAvgResampler(Frozen):
    """Two 2-D convolutions, then adaptive average pooling to `tokens_per_frame` per frame."""

    kind: Literal["conv_avg"]
    tokens_per_frame: Count


class AttentionPoolResampler(Frozen):
    """One cross-attention from learned queries to a clip's patches; beyond the study."""

    kind: Literal["attention_pool"]
    tokens_per_frame: Count
    heads: Count = 16
    head_dim: Count = 96


class QFormerResampler(Frozen):
    """Learned queries that attend to one another and to a clip's patches (BLIP-2).

    With `text` they also attend to the words of the question, so that a clip's tokens depend on it.
    """

    kind: Literal["qformer"]
    tokens_per_frame: Count
    depth: Count = 2
    width: Count = 768
    heads: Count = 12
    mlp_ratio: Count = 4
    text: bool = False

    @model_validator(mode="after")
    def _whole_heads(self) -> QFormerResampler:
        if self.width % self.heads:
            raise ValueError(f"width={self.width} is not a multiple of heads={self.heads}")
        return self


Resampler = Annotated[
    PerceiverResampler
    | MlpAvgResampler
    | ConvAvgResampler
    | AttentionPoolResampler
    | QFormerResampler,
    Field(discriminator="kind"),
]

# The four formats of the paper's table 2, in its order; then that of its released models.
Integration = Literal["plain", "separators", "timestamps", "timestamps-separators", "seconds"]

# unified: every encoder sees images and videos. split: images go through the image encoders alone,
# by a projection and resampler of their own (the study's table 8).
Joining = Literal["unified", "split"]


class MemoryBank(Frozen):
    """Bounds the tokens of a long video: its last clips stay, earlier ones are merged.

    A video of more than `long + recent` clips keeps its last `recent` clips; of those before,
    the most similar neighbours are averaged until `long` are left.
    """

    long: Count
    recent: Count


class Mixture(Frozen):
    """Shares of the training samples by modality, in per cent."""

    text: Annotated[float, Field(ge=0, le=100)]
    image: Annotated[float, Field(ge=0, le=100)]
    multi_image: Annotated[float, Field(ge=0, le=100)]
    video: Annotated[float, Field(ge=0, le=100)]

    @model_validator(mode="after")
    def _whole(self) -> Mixture:
        total = math.fsum(self.shares().values())
        if abs(total - 100) > 1e-6:
            raise ValueError(f"the shares sum to {total:g}, not to 100")
        return self

    def shares(self) -> dict[str, float]:
        """Per cent by modality."""
        return {name: getattr(self, name) for name in MODALITIES}


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"each encoder once; repeated: {', '.join(repeated)}")
    return names


class Design(Frozen):
    """One full set of answers to the design questions.

    `mixture` is shares by modality, or the name of one data set that is used as it is.
    """

    encoders: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)]
    sampling: Sampling
    resampler: Resampler
    integration: Integration
    schedule: str
    mixture: Mixture | str
    joining: Joining = "unified"
    memory: MemoryBank | None = None
