"""Where two stages part, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from orchestrator.plan.plan import StageNode, Variant


class Difference(NamedTuple):
    """A field and its value in each of two stages; None where a stage does not have it."""

    field: str
    first: object
    second: object


class Pair(NamedTuple):
    """The same step of two variants; a key is None where a variant has no such step."""

    step: str
    first: str | None
    second: str | None


def steps(variant: Variant) -> dict[str, str]:
    """Name of each step of a variant -> its key: stage names, and `evaluate METRIC`."""
    evaluations = {f"evaluate {name}": key for name, key in variant.evaluations.items()}
    return {**variant.steps, **evaluations}


def pair_steps(first: Mapping[str, str], second: Mapping[str, str]) -> list[Pair]:
    """The steps of two variants side by side, by name."""
    return [Pair(name, first.get(name), second.get(name)) for name in {**first, **second}]


def fields(node: StageNode) -> dict[str, object]:
    """Everything that a stage's key depends on, by dotted name, defaults written out."""
    identity = dict(_flat(node.identity.model_dump(mode="json"), ""))
    return {**identity, **{f"parent {role}": key for role, key in node.parents.items()}}


def differences(first: StageNode, second: StageNode) -> list[Difference]:
    """Fields in which two stages differ; none where their keys are equal."""
    ours, theirs = fields(first), fields(second)
    return [
        Difference(name, ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}.{index}")
    else:
        yield name, value
