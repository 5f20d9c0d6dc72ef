"""How a level changes the base, and how a stage changes a design's sampling: one rule.

Mappings merge key by key. A block with kinds (`sampling` by `mode`, `resampler` by `kind`) whose
kind changes is replaced whole; what the new kind needs and the change does not give comes from the
old block where it has the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    Design,
    FpsSampling,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
    Sampling,
    UniformSampling,
)
from apollo_core.frozen import Frozen
from apollo_core.token_system import clips_within
from orchestrator.spec.schedule_types import PartialSampling, PartialStage, StageSpec
from orchestrator.spec.sweep_types import Level, Scale, Sweep
from orchestrator.spec.yaml_reading import KeyPath

SAMPLINGS: dict[str, type[Frozen]] = {"fps": FpsSampling, "uniform": UniformSampling}
RESAMPLERS: dict[str, type[Frozen]] = {
    "perceiver": PerceiverResampler,
    "mlp_avg": MlpAvgResampler,
    "conv_avg": ConvAvgResampler,
    "attention_pool": AttentionPoolResampler,
    "qformer": QFormerResampler,
}
_BUDGETS = {"max_clips", "max_tokens"}
_KINDS = {"sampling": ("mode", SAMPLINGS), "resampler": ("kind", RESAMPLERS)}
_SAMPLING: TypeAdapter[Sampling] = TypeAdapter(Sampling)


def merge_level(base: Design, level: Mapping[Any, Any]) -> dict[str, object]:
    """The base's values with the level's; not yet validated."""
    merged: dict[str, Any] = base.model_dump()
    for field, value in level.items():
        old = merged[field]
        if not (isinstance(old, Mapping) and isinstance(value, Mapping)):
            merged[field] = value
        elif field in _KINDS:
            merged[field] = _merge_block(field, old, value)
        else:
            merged[field] = {**old, **value}
    return merged


def _merge_block(
    field: str, old: Mapping[str, object], change: Mapping[str, object]
) -> dict[str, object]:
    tag, kinds = _KINDS[field]
    kind = change.get(tag, old[tag])
    if kind == old[tag]:
        return {**old, **change}
    return {**_needed(kinds.get(str(kind)), old, tag), **change}


def _needed(kind: type[Frozen] | None, old: Mapping[str, object], tag: str) -> dict[str, object]:
    if kind is None:  # unknown: validation says so
        return {}
    required = {name for name, field in kind.model_fields.items() if field.is_required()} - {tag}
    return {name: value for name, value in old.items() if name in required}


def stage_sampling(asked: PartialSampling | None, design: Design, base: Sampling) -> Sampling:
    """A design's sampling with what a stage or an evaluation changes.

    Keys that another mode owns have no effect while the mode stays (`max_clips` under `uniform`).
    A changed mode takes what it needs and is not given from the design, then from the base.
    `max_tokens` has room for as many clips as the design's tokens per clip allow.

    Raises:
        ValueError: the result is no sampling (pydantic's error), or it cuts clips otherwise than
            the design's model, whose connector is built for a clip's length.
    """
    if asked is None:
        return design.sampling
    change = _in_clips(asked.model_dump(exclude_unset=True, exclude_none=True), design)
    own, mode = design.sampling.model_dump(), change.get("mode", design.sampling.mode)
    if mode == design.sampling.mode:
        fields = SAMPLINGS[mode].model_fields
        merged = {**own, **{name: value for name, value in change.items() if name in fields}}
    else:
        needed = _needed(SAMPLINGS[mode], {**base.model_dump(), **own}, "mode")
        merged = {**needed, **change}
    result = _SAMPLING.validate_python(merged)
    built_for = design.sampling.frames_per_clip
    if result.frames_per_clip != built_for:
        raise ValueError(
            f"frames_per_clip={result.frames_per_clip} differs from the design's "
            f"{built_for}, which the connector is built for; leave it out"
        )
    return result


def _in_clips(change: dict[str, Any], design: Design) -> dict[str, Any]:
    """What is asked, its budget of tokens as one of clips."""
    if "max_tokens" not in change:
        return change
    per_clip = design.resampler.tokens_per_frame * design.sampling.frames_per_clip
    clips = clips_within(change["max_tokens"], per_clip)
    return {**{k: v for k, v in change.items() if k != "max_tokens"}, "max_clips": clips}


def scale_schedule(sweep: Sweep, scale: Scale, schedule: str) -> tuple[StageSpec, ...]:
    """The stages of a schedule with what this scale overrides."""
    overrides = scale.overrides.schedules.get(schedule, {})
    return tuple(
        _override(stage, overrides[stage.stage]) if stage.stage in overrides else stage
        for stage in sweep.stages(schedule)
    )


def _override(stage: StageSpec, change: PartialStage) -> StageSpec:
    merged: dict[str, Any] = stage.model_dump(exclude_unset=True)
    for name, value in change.model_dump(exclude_unset=True, exclude_none=True).items():
        old = merged.get(name)
        if isinstance(old, dict) and value.keys() & _BUDGETS:  # one budget replaces the other
            old = {key: inner for key, inner in old.items() if key not in _BUDGETS}
        merged[name] = {**old, **value} if isinstance(old, dict) else value
    return StageSpec.model_validate(merged)


def leaves(value: object, where: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Every value that is no mapping, with its key path; a list is one value."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*where, key))
    else:
        yield where, value


def union(levels: list[Level]) -> dict[str, Any]:
    """Levels that set no leaf differently as one change."""
    merged: dict[str, Any] = {}
    for level in levels:
        for where, value in leaves(level):
            if not where:
                continue
            inner = merged
            for key in where[:-1]:
                inner = inner.setdefault(str(key), {})
            inner[str(where[-1])] = value
    return merged
