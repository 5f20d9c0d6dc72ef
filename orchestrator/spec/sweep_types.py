"""The sweep file's types (docs: the sweep file's contract): frozen, unknown keys forbidden.

What a single value must be is said here; what values must be to each other is in
`orchestrator.spec.sweep_checks`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    StringConstraints,
    model_validator,
)

from apollo_core.design import Count
from apollo_core.execution import Execution
from apollo_core.frozen import Frozen
from apollo_core.stages.identity import (
    BenchmarkFormat,
    EvaluateIdentity,
    Precision,
    Prompt,
    Regime,
    Scoring,
)
from orchestrator.spec.base_design import BaseDesign
from orchestrator.spec.data_types import Data, distinct
from orchestrator.spec.schedule_types import (
    Name,
    PartialSampling,
    PartialStage,
    Schedule,
    StageSpec,
    written,
)

DesignField = Literal[
    "encoders",
    "sampling",
    "resampler",
    "integration",
    "schedule",
    "mixture",
    "joining",
    "memory",
]
Level = dict[DesignField, JsonValue]

# Columns of the score and item tables; an axis is a column beside them.
_RESERVED = {
    "design", "scale", "scale_size", "seed", "metric", "score", "n_items", "chance", "benchmark",
    "regime", "video", "item", "category", "choice", "answer", "correct", "n_options",
    "duration_group", "task_type",
}  # fmt: skip


def _not_reserved(name: str) -> str:
    if name in _RESERVED or name.startswith("block"):
        raise ValueError(f"{name!r} is a column of the score table; name the axis otherwise")
    return name


# Billions of parameters: from one to more than there will be.
ModelSize = Annotated[float, Field(ge=1e-9, le=1e6)]
AxisName = Annotated[Name, AfterValidator(_not_reserved)]


class ModelSource(Frozen):
    """Where the weights of a named part come from.

    Attributes:
        source: hub id `org/name`; local path (starts with `/`, `.`, `~` or `$`); `micro:NAME`.
        revision: commit (40 hexadecimal digits) or branch of a hub id; `main` if absent.
        family: adapter that builds it; needed for an encoder that the catalogue does not know.
    """

    source: Annotated[str, StringConstraints(min_length=1)]
    revision: str | None = None
    family: str | None = None

    @model_validator(mode="after")
    def _revision_of_a_hub_id(self) -> ModelSource:
        if self.revision and (self.source[0] in "/.~$" or self.source.startswith("micro:")):
            raise ValueError(f"revision belongs to a hub id, and source is {self.source!r}")
        return self


class Resources(Frozen):
    """What a stage of this scale holds while it runs.

    Attributes:
        gpus: a part of one, or whole ones.
        cpus: at least one for each process.
        processes: that run a stage together; absent = one for each GPU.
    """

    gpus: NonNegativeFloat = 0
    cpus: Count = 1
    processes: Count | None = None

    @property
    def ranks(self) -> int:
        """Processes that run a training or evaluation stage together."""
        return self.processes or max(1, int(self.gpus))

    @model_validator(mode="after")
    def _whole_gpus(self) -> Resources:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus={self.gpus:g}: a part of one GPU, or whole GPUs")
        return self

    @model_validator(mode="after")
    def _one_process_for_a_gpu(self) -> Resources:
        if self.gpus and self.ranks != max(1, int(self.gpus)):
            raise ValueError(
                f"processes={self.processes} with gpus={self.gpus:g}: a process for each GPU, so "
                "leave `processes` out; it is for stages without a GPU"
            )
        return self


class Overrides(Frozen):
    """What a scale changes: schedule -> stage -> part of the stage."""

    schedules: dict[str, dict[str, PartialStage]] = Field(default={})


class Scale(Frozen):
    """One language model size; `size` in billions of parameters."""

    llm: str
    size: ModelSize
    resources: Resources = Resources()
    overrides: Overrides = Overrides()


_ROTATIONS = EvaluateIdentity.model_fields["rotations"].default


class Evaluation(Frozen):
    """One benchmark, its regimes and how an item is scored.

    `name` is the first part of its metrics' names, else `benchmark` is. Without `prompt`, letters
    and generated answers are asked with the options listed, options' texts without. `rotations`:
    in how many cyclic orders the options are listed, at most as many as there are. `format`: of the
    manifest, our own or a benchmark's public file or folder; `auto` looks at its first row.
    """

    benchmark: Name
    manifest: Annotated[str, StringConstraints(min_length=1)]
    regimes: Annotated[tuple[Regime, ...], Field(min_length=1), AfterValidator(distinct)]
    scoring: Scoring
    prompt: Prompt | None = None
    sampling: PartialSampling | None = None
    name: Name | None = None
    rotations: Annotated[int, Field(ge=1, le=26)] = _ROTATIONS
    format: Literal["auto", BenchmarkFormat] = "auto"

    @model_validator(mode="after")
    def _something_to_rotate(self) -> Evaluation:
        if self.rotations > 1 and self.full_prompt != "lettered-v1":
            raise ValueError(
                f"rotations={self.rotations}, but the prompt {self.full_prompt!r} lists no "
                "options, so all orders are one; set `prompt: lettered-v1`, or leave rotations out"
            )
        return self

    @property
    def metric(self) -> str:
        """First part of the names of its metrics."""
        return self.name or self.benchmark

    @property
    def full_prompt(self) -> Prompt:
        """The prompt, chosen by the scoring where absent."""
        return self.prompt or ("question-v1" if self.scoring == "options" else "lettered-v1")


class ExecutionBlock(Execution):
    """The file's `execution`: where and how fast, and the precision, which is identity."""

    precision: Precision = "float32"

    @property
    def execution(self) -> Execution:
        """Without the precision: never part of a stage key."""
        return Execution.model_validate(self.model_dump(exclude={"precision"}))


class Sweep(Frozen):
    """A whole sweep file."""

    name: Name
    design: Literal["one_factor", "cartesian"] = "one_factor"
    seeds: Annotated[tuple[NonNegativeInt, ...], Field(min_length=1), AfterValidator(distinct)] = (
        0,
    )
    pretraining_seed: NonNegativeInt = 0
    base: BaseDesign
    axes: Annotated[
        dict[AxisName, Annotated[dict[Name, Level], Field(min_length=1)]], Field(min_length=1)
    ]
    exclude: tuple[Annotated[dict[str, str], Field(min_length=1)], ...] = ()
    models: dict[str, ModelSource] = Field(default={})
    scales: Annotated[dict[Name, Scale], Field(min_length=1)]
    schedules: Annotated[dict[Name, Schedule], Field(min_length=1)]
    data: Data
    evaluation: Annotated[tuple[Evaluation, ...], Field(min_length=1)]
    execution: ExecutionBlock = ExecutionBlock()

    def stages(self, schedule: str) -> tuple[StageSpec, ...]:
        """The stages of a schedule, a preset written out."""
        return written(self.schedules[schedule])
