"""pydantic's validation errors as problems of a sweep file.

pydantic's own location names union members and knows no neighbours; here it becomes the key path
in the file, with the names that would have been right.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from orchestrator.problems import Problem, nearest
from orchestrator.yaml_reading import KeyPath


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """One problem for each thing that is wrong, in the file's own terms."""
    found: dict[KeyPath, Problem] = {}
    misspelt: set[KeyPath] = set()
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        if detail["type"] == "string_type" and isinstance(detail["input"], dict):
            continue  # the other half of "shares or a set's name"; the shares' own error is told
        where, names = _follow(location, model)
        text = _text(detail["type"], detail, names)
        if detail["type"] == "extra_forbidden":
            misspelt |= {
                (*where[:-1], near) for near in get_close_matches(str(where[-1]), names, n=1)
            }
        found.setdefault(where, Problem(where, text))
    # A misspelt key explains the missing one.
    return [
        problem
        for where, problem in found.items()
        if not (where in misspelt and problem.text.startswith("required"))
    ]


def _text(kind: str, detail: Mapping[str, typing.Any], names: list[str]) -> str:
    value, context = detail.get("input"), detail.get("ctx", {})
    if kind == "missing":
        return "required, but missing"
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(detail['loc'][-1]), names)}"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected") or context.get("expected_tags") or ""
        allowed = re.findall(r"'([^']*)'", expected)
        wrong = context.get("tag", value)
        return f"{_shown(wrong)} is not allowed{nearest(str(wrong), allowed)}"
    if kind == "union_tag_not_found":
        return f"the key {context.get('discriminator')} is required, but missing"
    if kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"{_shown(value)} is not allowed: a mapping of keys is needed"
    if kind in ("tuple_type", "list_type"):
        return f"{_shown(value)} is not allowed: a list is needed, as [a, b]"
    message = detail["msg"]
    return f"{_shown(value)} is not allowed: {message[0].lower()}{message[1:]}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _follow(location: tuple[str | int, ...], model: type[BaseModel]) -> tuple[KeyPath, list[str]]:
    """Key path of pydantic's `location`, and the field names valid at its end."""
    path: list[str | int] = []
    names: list[str] = []
    current: object = model
    for step in location:
        current = _bare(current)
        if step == "[key]":
            continue
        if isinstance(current, type) and issubclass(current, BaseModel):
            fields = current.model_fields
            names = list(fields)
            path.append(step)
            current = fields[str(step)].annotation if str(step) in fields else None
        elif _is_union(current):
            current = _member(current, str(step))
        else:
            path.append(step)
            current = _inside(current)
    return tuple(path), names


def _bare(annotation: object) -> object:
    """`Annotated[X, ...]` and `X | None` as `X`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif _is_union(annotation):
            members = [arg for arg in get_args(annotation) if arg is not type(None)]
            if len(members) != 1:
                return annotation
            annotation = members[0]
        else:
            return annotation


def _is_union(annotation: object) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _member(union: object, label: str) -> object:
    """The member that pydantic calls `label`: by its discriminator's value or its name."""
    for member in get_args(union):
        member = _bare(member)
        if getattr(member, "__name__", "") == label or label in _literals(member):
            return member
    return None


def _literals(member: object) -> Iterator[str]:
    if isinstance(member, type) and issubclass(member, BaseModel):
        for field in member.model_fields.values():
            if get_origin(field.annotation) is Literal:
                yield from get_args(field.annotation)


def _inside(annotation: object) -> object:
    """What a mapping or a sequence holds."""
    arguments = [arg for arg in get_args(annotation) if arg is not Ellipsis]
    return arguments[-1] if arguments else None
