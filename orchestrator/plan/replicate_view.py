"""What one replicate's run in a tracking server says of it, as plain values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from apollo_core.redaction import redact
from orchestrator.store.stage_states import StageState
from orchestrator.store.sweep_record import SweepRecord, VariantRecord
from orchestrator.tracking.tracked_points import metric_name

# MLflow's own limit on a parameter's name.
LONGEST_NAME = 250


def tags_of(record: SweepRecord, variant: VariantRecord) -> dict[str, str]:
    """What runs are found and grouped by: design, axis levels, scale, seed, stage keys."""
    stages = {f"stage.{index}": key for index, key in enumerate(variant.stages)}
    return {
        "kind": "replicate",
        "variant_id": variant.id,
        "content": content_of(variant),
        "superseded": "no",
        "design": variant.design,
        "scale": variant.scale,
        "seed": str(variant.seed),
        **{f"axis.{axis}": level for axis, level in variant.levels.items()},
        **{f"{name}.{record.stages[key].label}": key for name, key in stages.items()},
    }


def content_of(variant: VariantRecord) -> str:
    """A digest of all that the replicate is: a run of another content is another run."""
    return hashlib.sha256(variant.model_dump_json().encode()).hexdigest()[:32]


def params_of(variant: VariantRecord, settings: Mapping[str, object]) -> dict[str, str]:
    """The resolved design and what each stage was told (`settings`, by stage name), flat."""
    stages = {metric_name(name)[:LONGEST_NAME]: text for name, text in _flat(settings, "stages")}
    return {
        "design": variant.design,
        "scale": variant.scale,
        "scale_size": f"{variant.scale_size:g}",
        "seed": str(variant.seed),
        "llm": variant.llm,
        **dict(_flat(variant.resolved)),
        **stages,
    }


def _flat(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        yield path, ", ".join(str(inner) for inner in value)
    else:
        yield path, redact(str(value))


def status_of(variant: VariantRecord, states: Mapping[str, StageState]) -> tuple[str, str]:
    """A replicate's status and the class of its first failure."""
    found = [states[key] for key in variant.stages]
    failed = [state for state in found if state.state == "failed"]
    if failed:
        return "failed", failed[0].failure_class
    if all(state.state == "done" for state in found):
        return "done", ""
    begun = any(state.state == "running" for state in found)
    return ("running" if begun else "waiting"), ""
