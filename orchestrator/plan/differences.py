"""Where two stages part, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
    """Everything that a stage's key depends on, by dotted name, defaults written out.

    Shares of data are named by their manifests: by position, unlike ones would be compared.
    """
    identity = node.identity.model_dump(mode="json")
    if "data" in identity:
        identity["data"] = _by_name(identity["data"], node.locations)
    return {
        **dict(_flat(identity, "")),
        **{f"parent {role}": key for role, key in node.parents.items()},
    }


def differences(first: StageNode, second: StageNode) -> list[Difference]:
    """Fields in which two stages differ; none where their keys are equal."""
    ours, theirs = fields(first), fields(second)
    return [
        Difference(name, ours.get(name), theirs.get(name))
        for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    ]


def _by_name(
    shares: Sequence[Mapping[str, Any]], locations: Mapping[str, str]
) -> dict[str, Mapping[str, Any]]:
    """Shares by the files that they draw from; a number tells apart two of one name."""
    named: dict[str, Mapping[str, Any]] = {}
    for share in shares:
        files = (locations.get(each, each).rsplit("/", 1)[-1] for each in share["sets"])
        name = "+".join(file.removesuffix(".jsonl") for file in files)
        number = sum(known.split(" ")[0] == name for known in named)
        named[f"{name} {number + 1}" if number else name] = share
    return named


def _flat(value: object, name: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{name}.{index}")
    else:
        yield name, value
