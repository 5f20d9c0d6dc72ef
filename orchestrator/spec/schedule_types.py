"""A schedule in a sweep file: stages written out, or a preset of the study with its data given.

    three-stage: {preset: table12-row-13, stages: {align: {data: ..., samples: ...}, ...}}

Both mean a list of stages; where they mean the same one, they have the same stage keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core.core_schema import ValidationInfo

from apollo_core.design import Count, FrameRate, SampleCount
from apollo_core.frozen import Frozen
from apollo_core.schedules import SCHEDULES
from apollo_core.stages.identity import Exhausted, Rates, TrainIdentity
from orchestrator.spec.problems import nearest

# Part of ids, folder names and column names, so plain: no `=`, `,`, `@`, `#`, `/` or space.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]

_WARMUP, _DECAY, _CLIP, _EXHAUSTED = (
    TrainIdentity.model_fields[name].default
    for name in ("warmup", "weight_decay", "clip_norm", "exhausted")
)


class PartialSampling(Frozen):
    """What a stage or an evaluation changes of a design's sampling; absent = the design's.

    `max_tokens`, visual tokens that one video may cost, says `max_clips` by the design's tokens per
    clip.
    """

    mode: Literal["fps", "uniform"] | None = None
    fps: FrameRate | None = None
    max_clips: Count | None = None
    max_tokens: Annotated[
        Count | None, Field(description="the budget of visual tokens per video; gives max_clips")
    ] = None
    frames: Count | None = None
    frames_per_clip: Count | None = None

    @model_validator(mode="after")
    def _one_budget(self) -> PartialSampling:
        if self.max_tokens is not None and self.max_clips is not None:
            raise ValueError("max_clips and max_tokens are two ways to say one budget; keep one")
        return self


class PresetStage(Frozen):
    """What a preset leaves open of a stage: data and length, and how it is optimised.

    `exhausted`: data that run out before `samples` are gone through again (`repeat`), or end the
    stage (`end`).
    """

    data: str
    samples: SampleCount
    batch_size: Count
    warmup: Annotated[float, Field(ge=0, lt=1)] = _WARMUP
    weight_decay: NonNegativeFloat = _DECAY
    clip_norm: PositiveFloat = _CLIP
    sampling: PartialSampling | None = None
    exhausted: Exhausted = _EXHAUSTED


class StageSpec(PresetStage):
    """One stage of a schedule: a rate per module, data, length."""

    stage: Name
    lr: Rates


class PartialStage(Frozen):
    """What a scale changes of a stage; absent = the schedule's."""

    lr: Rates | None = None
    data: str | None = None
    samples: SampleCount | None = None
    batch_size: Count | None = None
    warmup: Annotated[float, Field(ge=0, lt=1)] | None = None
    weight_decay: NonNegativeFloat | None = None
    clip_norm: PositiveFloat | None = None
    sampling: PartialSampling | None = None
    exhausted: Exhausted | None = None


def _known(preset: str) -> str:
    if preset not in SCHEDULES:
        raise ValueError(f"unknown preset {preset!r}{nearest(preset, list(SCHEDULES))}")
    return preset


class PresetSchedule(Frozen):
    """A schedule of the study by name: it has the rates, the file everything else of each stage.

    Attributes:
        preset: `table12-row-1` to `-17`, or a schedule of the study's table 3 by name.
        stages: the preset's stages by name (align, vision, sft), each once; their order is the
            preset's.
    """

    preset: Annotated[
        str, AfterValidator(_known), Field(json_schema_extra={"enum": list(SCHEDULES)})
    ]
    stages: dict[str, PresetStage]

    @field_validator("stages")
    @classmethod
    def _those_of_the_preset(
        cls, stages: dict[str, PresetStage], info: ValidationInfo
    ) -> dict[str, PresetStage]:
        if "preset" not in info.data:  # it is unknown, and told so
            return stages
        names = [stage.name for stage in SCHEDULES[info.data["preset"]]]
        for name in stages:
            if name not in names:
                raise ValueError(f"unknown stage {name!r}{nearest(name, names)}")
        missing = [name for name in names if name not in stages]
        if missing:
            raise ValueError(
                f"{', '.join(missing)}: required, but missing; the preset "
                f"{info.data['preset']!r} has the stages {', '.join(names)}, and each needs its "
                "data, samples and batch_size"
            )
        return stages

    def written(self) -> tuple[StageSpec, ...]:
        """The stages as a file would write them out."""
        return tuple(
            StageSpec(
                stage=stage.name,
                lr=Rates(vision=stage.vision, connector=stage.connector, llm=stage.llm),
                **dict(self.stages[stage.name]),
            )
            for stage in SCHEDULES[self.preset]
        )


def _form(value: object) -> str:
    return "preset" if isinstance(value, Mapping | PresetSchedule) else "list"


Schedule = Annotated[
    Annotated[PresetSchedule, Tag("preset")]
    | Annotated[tuple[StageSpec, ...], Field(min_length=1), Tag("list")],
    Discriminator(_form),
]


def written(schedule: PresetSchedule | tuple[StageSpec, ...]) -> tuple[StageSpec, ...]:
    """The stages of either form."""
    return schedule.written() if isinstance(schedule, PresetSchedule) else schedule
