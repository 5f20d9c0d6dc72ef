"""What can change a stage's result: the identity of each stage kind.

A stage key hashes one of these, its kind's `STAGE_VERSIONS` entry and its parents' keys. What only
decides where and how fast a stage runs is `apollo_core.execution.Execution`, another type.

Rules: a field that equals its default is left out of the hash, so that a new field keeps old
results; hence a default never changes unless the kind's version does. Parts and data are named by
fingerprint only; where they lie travels beside the identity (`StageContext.locations`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from apollo_core.design import Integration, Joining, MemoryBank, Resampler, Sampling
from apollo_core.frozen import Frozen
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName

STAGE_VERSIONS: dict[str, int] = {"pretrain": 4, "train": 5, "evaluate": 4, "external": 1}

Precision = Literal["float32", "bfloat16"]
# `shuffled`: the video's frames in a random order (`apollo_core.media.shuffling`).
Regime = Literal["video", "shuffled", "center_frame", "text"]
# Of benchmark files: our own (`items`), or as published (`apollo_core.benchmark_files.formats`).
BenchmarkFormat = Literal[
    "items",
    "video_mme",
    "mlvu",
    "long_video_bench",
    "perception_test",
    "temp_compass",
    "next_qa",
    "ego_schema",
    "apollo_bench",
]
Scoring = Literal["letters", "options", "generate"]
Prompt = Literal["question-v1", "lettered-v1"]
BadMedia = Literal["stop", "skip"]
# Part of a stage's samples that may be skipped: above it, skipping has become another data set.
MOST_SKIPPED = 0.2
SkippedShare = Annotated[float, Field(ge=0, lt=1)]
# How an external model gets a video's frames: as one video, or as that many images.
FramesAs = Literal["video", "images"]
Exhausted = Literal["repeat", "end"]


class Part(Frozen):
    """The weights that an encoder or language model starts from.

    Attributes:
        family: the adapter that builds it ("siglip", "videomae", "causal-lm").
        fingerprint: `hub:ID@COMMIT`, `local:SHA256`, `micro:NAME@VERSION`, or `provisional:...`
            where a plan cannot know yet.
    """

    family: str
    fingerprint: str


class Rates(Frozen):
    """Peak learning rate of each module; 0 = frozen."""

    vision: NonNegativeFloat = 0.0
    connector: NonNegativeFloat = 0.0
    llm: NonNegativeFloat = 0.0

    def trained(self) -> tuple[str, ...]:
        """Modules with a rate above 0."""
        return tuple(name for name, rate in self if rate > 0)


class DataShare(Frozen):
    """Data sets that together make up one share of a stage's samples.

    Attributes:
        share: part of the stage's samples, in per cent.
        sets: fingerprints of the manifests; drawn from as if they were one.
    """

    share: Annotated[float, Field(ge=0, le=100)]
    sets: tuple[str, ...]


class PretrainIdentity(Frozen):
    """A microworld part learns from the microworld's text."""

    kind: Literal["pretrain"] = "pretrain"
    part: Part
    corpus: str
    seed: NonNegativeInt
    samples: PositiveInt
    batch_size: PositiveInt
    lr: PositiveFloat
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    precision: Precision = "float32"

    @property
    def steps(self) -> int:
        """Optimiser steps; the last batch may be smaller."""
        return -(-self.samples // self.batch_size)


class ModelIdentity(Frozen):
    """The model that a stage trains or evaluates.

    `integration_version`: of the format's template (`apollo_core.text.integration.FORMATS`).
    """

    encoders: Annotated[tuple[Part, ...], Field(min_length=1)]
    llm: Part
    resampler: Resampler
    frames_per_clip: PositiveInt
    integration: Integration
    joining: Joining = "unified"
    memory: MemoryBank | None = None
    integration_version: PositiveInt = 1


class TrainIdentity(Frozen):
    """One stage of a schedule: a rate per module, data, length.

    `decoder`: of videos; pictures of some differ. `exhausted`: data that run out are gone through
    again, or end the stage early. `most_skipped`: part of the samples that may have bad media,
    where these are skipped.
    """

    kind: Literal["train"] = "train"
    model: ModelIdentity
    seed: NonNegativeInt
    sampling: Sampling
    lr: Rates
    data: Annotated[tuple[DataShare, ...], Field(min_length=1)]
    samples: PositiveInt
    batch_size: PositiveInt
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    weight_decay: NonNegativeFloat = 0.0
    clip_norm: PositiveFloat = 1.0
    bad_media: BadMedia = "stop"
    precision: Precision = "float32"
    decoder: DecoderName = DEFAULT_DECODER
    exhausted: Exhausted = "repeat"
    most_skipped: SkippedShare = MOST_SKIPPED

    @property
    def steps(self) -> int:
        """Optimiser steps; the last batch may be smaller."""
        return -(-self.samples // self.batch_size)


class _Asking(Frozen):
    """One benchmark in one or more regimes, scored by one rule.

    `rotations`: each question is asked with its options in this many cyclic orders, and an option's
    score is its mean over them. `format`: of the benchmark's file.
    """

    seed: NonNegativeInt
    sampling: Sampling
    benchmark: str
    regimes: Annotated[tuple[Regime, ...], Field(min_length=1)]
    scoring: Scoring
    prompt: Prompt
    bad_media: BadMedia = "stop"
    precision: Precision = "float32"
    rotations: Annotated[int, Field(ge=1, le=26)] = 1
    format: BenchmarkFormat = "items"
    decoder: DecoderName = DEFAULT_DECODER


class EvaluateIdentity(_Asking):
    """A model that the sweep trained, on one benchmark."""

    kind: Literal["evaluate"] = "evaluate"
    model: ModelIdentity


class ExternalIdentity(_Asking):
    """A model of somebody else on one benchmark, asked as `EvaluateIdentity` asks ours.

    `sampling` has clips of one frame. `frame_side`: the long side, in pixels, at which whole frames
    are decoded; the model's own processor takes them from there.
    """

    kind: Literal["external"] = "external"
    model: Part
    frames_as: FramesAs
    frame_side: PositiveInt


StageIdentity = Annotated[
    PretrainIdentity | TrainIdentity | EvaluateIdentity | ExternalIdentity,
    Field(discriminator="kind"),
]
