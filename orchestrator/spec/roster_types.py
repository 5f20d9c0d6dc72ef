"""The roster file's types: models of others, and what they are asked. Frozen, no unknown keys.

A sweep trains what it evaluates; a roster evaluates what is there. What is asked is written as in a
sweep file, and answered by the same rules, so that both stand in one item table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, StringConstraints, model_validator

from apollo_core.design import Count, FpsSampling, FrameRate, Sampling, UniformSampling
from apollo_core.frozen import Frozen
from apollo_core.media.video_file import DEFAULT_DECODER, DecoderName
from apollo_core.microworld.spec import WorldSpec
from apollo_core.stages.identity import BadMedia, FramesAs
from orchestrator.spec.data_types import Data, expand
from orchestrator.spec.schedule_types import Name
from orchestrator.spec.sweep_types import Evaluation, ExecutionBlock, ModelSize, Resources


class UniformFrames(Frozen):
    """So many frames, spread evenly over a video whatever its length."""

    mode: Literal["uniform"]
    frames: Count

    @property
    def sampling(self) -> Sampling:
        """As our sampler takes it: clips of one frame."""
        return UniformSampling(mode="uniform", frames=self.frames, frames_per_clip=1)


class FpsFrames(Frozen):
    """So many frames a second; over `max_frames`, as many spread evenly."""

    mode: Literal["fps"]
    fps: FrameRate
    max_frames: Count

    @property
    def sampling(self) -> Sampling:
        """As our sampler takes it: clips of one frame."""
        return FpsSampling(mode="fps", fps=self.fps, frames_per_clip=1, max_clips=self.max_frames)


Frames = Annotated[UniformFrames | FpsFrames, Field(discriminator="mode")]


class RosterModel(Frozen):
    """One model, as transformers saves it.

    Attributes:
        source: its folder; `${NAME}` and `~` are resolved when it is used.
        frames: what it sees of a video; absent = the roster's.
        frames_as: as one video, which needs torchvision, or as that many images.
        frame_side: long side in pixels at which frames are decoded for its processor.
        size: billions of parameters; absent = counted from the weights' files.
        resources: what its stages hold while they run.
    """

    source: Annotated[str, StringConstraints(min_length=1)]
    frames: Frames | None = None
    frames_as: FramesAs = "video"
    frame_side: Annotated[int, Field(ge=16, le=8192)] = 448
    size: ModelSize | None = None
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _a_path(self) -> RosterModel:
        if self.source[0] not in "/.~$":
            raise ValueError(
                f"{self.source!r} is no local path (which starts with `/`, `.`, `~` or `$`): "
                f"write './{self.source}' if that is a folder here; else download the model, and "
                "give its folder"
            )
        return self

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return expand(self.source).absolute()


class RosterData(Frozen):
    """Where benchmarks and their videos are; fields as of a sweep's `data`."""

    root: str | None = None
    microworld: WorldSpec | None = None
    bad_media: BadMedia = "stop"
    decoder: DecoderName = DEFAULT_DECODER

    @property
    def as_of_sweep(self) -> Data:
        """The same, without sets to train on."""
        return Data(
            root=self.root,
            microworld=self.microworld,
            bad_media=self.bad_media,
            decoder=self.decoder,
            sets={},
        )

    @model_validator(mode="after")
    def _as_in_a_sweep(self) -> RosterData:
        if self.as_of_sweep.is_remote:
            raise ValueError(
                f"root={os.path.expandvars(self.root or '')!r}: a roster reads a local folder; "
                "copy or mount the data"
            )
        return self


class Roster(Frozen):
    """A whole roster file; `seed` decides the order of shuffled frames."""

    name: Name
    seed: NonNegativeInt = 0
    models: Annotated[dict[Name, RosterModel], Field(min_length=1)]
    frames: Frames
    data: RosterData
    evaluation: Annotated[tuple[Evaluation, ...], Field(min_length=1)]
    execution: ExecutionBlock = ExecutionBlock()
