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

from pydantic import BaseModel, Tag, ValidationError

from orchestrator.spec.problems import Problem, nearest
from orchestrator.spec.token_keys import DERIVED
from orchestrator.spec.yaml_reading import KeyPath

# pydantic's type of an error -> what the key takes.
_NEEDED = {
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "dict_type": "a mapping of keys",
    "tuple_type": "a list, as [a, b],",
    "list_type": "a list, as [a, b],",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
}


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """One problem for each thing that is wrong, in the file's own terms."""
    found: dict[KeyPath, Problem] = {}
    too_short: set[KeyPath] = set()
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
        if detail["type"] == "too_short":
            too_short.add(where)
        found.setdefault(where, Problem(where, text))
    # A misspelt key explains the missing one; pydantic does not count an entry that is wrong.
    return [
        problem
        for where, problem in found.items()
        if not (where in misspelt and problem.text.startswith("required"))
        and not (where in too_short and any(_is_inside(other, where) for other in found))
    ]


def _is_inside(where: KeyPath, above: KeyPath) -> bool:
    return len(where) > len(above) and where[: len(above)] == above


def _text(kind: str, detail: Mapping[str, typing.Any], names: list[str]) -> str:
    value, context = detail.get("input"), detail.get("ctx", {})
    if kind == "missing":
        return "required, but missing"
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(detail['loc'][-1]), names)}"
    if value is None:
        return f"it is empty{_needed(kind, detail['msg'], context)}"
    if kind in ("literal_error", "union_tag_invalid"):
        expected = context.get("expected") or context.get("expected_tags") or ""
        allowed = re.findall(r"'([^']*)'", expected)
        wrong = context.get("tag", value)
        return f"{_shown(wrong)} is not allowed{nearest(str(wrong), allowed)}"
    if kind == "union_tag_not_found":
        return f"the key {context.get('discriminator')} is required, but missing"
    if kind == "value_error":
        return str(context.get("error", detail["msg"]))
    if kind == "too_short" and not value:
        least = context.get("min_length", 1)
        return f"{_shown(value)} is not allowed: it is empty, and at least {least} entry is needed"
    if kind == "string_type" and isinstance(value, int | float):
        return f"{_shown(value)} is not allowed: text is needed; put it in quotes"
    if kind in _NEEDED:
        return f"{_shown(value)} is not allowed: {_NEEDED[kind]} is needed"
    message = detail["msg"]
    return f"{_shown(value)} is not allowed: {message[0].lower()}{message[1:]}"


def _needed(kind: str, message: str, context: Mapping[str, typing.Any]) -> str:
    """What a key that the file leaves empty takes."""
    if kind in _NEEDED:
        return f"; {_NEEDED[kind]} is needed"
    known = sorted(re.findall(r"'([^']*)'", context.get("expected", "")))
    return f". Known: {', '.join(known)}" if known else f": {message[0].lower()}{message[1:]}"


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
            names = [*fields, *DERIVED.get(str(path[-1]) if path else "", {})]
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
    """The member that pydantic calls `label`: by its tag, its discriminator's value or its name."""
    for tagged in get_args(union):
        member = _bare(tagged)
        if label in _tags(tagged):
            return member
        if getattr(member, "__name__", "") == label or label in _literals(member):
            return member
    return None


def _tags(member: object) -> list[str]:
    return [each.tag for each in getattr(member, "__metadata__", ()) if isinstance(each, Tag)]


def _literals(member: object) -> Iterator[str]:
    if isinstance(member, type) and issubclass(member, BaseModel):
        for field in member.model_fields.values():
            if get_origin(field.annotation) is Literal:
                yield from get_args(field.annotation)


def _inside(annotation: object) -> object:
    """What a mapping or a sequence holds."""
    arguments = [arg for arg in get_args(annotation) if arg is not Ellipsis]
    return arguments[-1] if arguments else None
