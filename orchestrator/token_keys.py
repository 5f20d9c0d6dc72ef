"""The token system in a sweep file: what may be said, and what design it comes to.

Beside its own fields, `sampling` takes `tokens_per_second` and `max_tokens` (visual tokens that one
video may cost), `resampler` takes `tokens_per_second` and `tokens_per_clip`. They are worked out to
`fps`, `frames_per_clip`, `max_clips` and `tokens_per_frame`, the fields of a `Design`, so that two
ways of saying one design have one key.

A key changes the field that it gives (`DERIVED`), and the block that it stands in says which: over
a base of 2 fps and 16 tokens a frame, `sampling: {tokens_per_second: 64}` samples at 4 fps,
`resampler: {tokens_per_second: 64}` gives 32 tokens a frame. What a level says wins over what the
base says, and that over what the base came to: over a base of 32 tokens a second and 16 a frame, a
level of 8 tokens a frame has 4 fps. A base's `max_tokens` holds for its levels too: fewer tokens a
frame, more clips. Values of one level that contradict each other are an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import (
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails
from pydantic_core.core_schema import CoreSchema

from apollo_core.design import Design, FpsSampling
from apollo_core.token_system import (
    WHOLE,
    Number,
    TokenSystemError,
    clips_within,
    complete,
    solve,
)
from orchestrator.yaml_reading import KeyPath

BLOCKS = {"sampling": "mode", "resampler": "kind"}
_PER_SECOND = "visual tokens per second inside a clip"
# Keys of a block that are worked out: what each means, and the design's field that it gives.
DERIVED: dict[str, dict[str, tuple[str, str]]] = {
    "sampling": {
        "tokens_per_second": (_PER_SECOND, "fps"),
        "max_tokens": ("the budget of visual tokens per video", "max_clips"),
    },
    "resampler": {
        "tokens_per_clip": ("visual tokens of one clip", "tokens_per_frame"),
        "tokens_per_second": (_PER_SECOND, "tokens_per_frame"),
    },
}
# The fields of a design that belong to the system, and the block that has each.
_FIELDS = {"fps": "sampling", "frames_per_clip": "sampling", "tokens_per_frame": "resampler"}
_BUDGET = ("max_tokens", "max_clips")
_RATES = ("fps", "tokens_per_second")


class TokenKeyError(Exception):
    """What is wrong with the keys of the system: where, and why."""

    def __init__(self, where: KeyPath, text: str) -> None:
        super().__init__(where, text)
        self.where = where
        self.text = text


@dataclass(frozen=True)
class Said:
    """What one place of the file, the base or a level, says of the system.

    Attributes:
        values: key -> (number, block that it stands in); `tokens_per_second` once.
    """

    values: Mapping[str, tuple[Number, str]]

    @property
    def derived(self) -> bool:
        """Whether there is anything to work out."""
        return any(name in DERIVED[block] for name, (_, block) in self.values.items())

    def number(self, name: str) -> Number | None:
        """The value of a key, None where it is not said."""
        return self.values[name][0] if name in self.values else None

    def gives(self, name: str) -> str:
        """The field that a key gives: itself, or what is worked out from it."""
        return DERIVED[self.values[name][1]].get(name, ("", name))[1]

    def place(self, name: str) -> KeyPath:
        """Where a key stands, or would stand."""
        return (self.values[name][1] if name in self.values else _FIELDS[name], name)


class BaseDesign(Design):
    """The base as a file has it: a complete design, which the token system's keys may say."""

    _said: Said = PrivateAttr(default=Said({}))

    @property
    def said(self) -> Said:
        """What the file says of the token system, as said."""
        return self._said

    @model_validator(mode="wrap")
    @classmethod
    def _work_out(cls, value: Any, handler: ModelWrapValidatorHandler[BaseDesign]) -> BaseDesign:
        if not isinstance(value, Mapping):
            return handler(value)
        try:
            said = read(value)
            resolved = _complete_base(value, said) if said.derived else value
        except TokenKeyError as error:
            raise _located(error, value) from None
        design = handler(resolved)
        design._said = said
        return design

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """With the keys that are worked out; what follows from them is no longer required."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema)["properties"]
        for block, keys in DERIVED.items():
            for member in properties[block]["oneOf"]:
                _allow(handler.resolve_ref_schema(member), keys)
        return schema


def read(content: Mapping[Any, Any], *, strict: bool = False) -> Said:
    """What a base or a level says of the token system.

    Args:
        content: its mapping.
        strict: check all values of the system; else, without anything to work out, what is wrong
            with a field is left to be told by the field's own type.

    Raises:
        TokenKeyError: a key that is to be worked out has no usable value.
    """
    blocks = {name: content[name] for name in BLOCKS if isinstance(content.get(name), Mapping)}
    keys = {
        block: [*(name for name, home in _FIELDS.items() if home == block), *DERIVED[block]]
        for block in blocks
    }
    keys.get("sampling", []).append("max_clips")
    strict = strict or any(name in blocks[block] for block in blocks for name in DERIVED[block])
    values: dict[str, tuple[Number, str]] = {}
    for block, names in keys.items():
        for name in names:
            if name not in blocks[block]:
                continue
            number = _number(name, blocks[block][name], (block, name), strict=strict)
            if number is None:
                continue
            if name in values and values[name][0] != number:
                raise TokenKeyError(
                    (block, name),
                    f"{number:g} contradicts {values[name][0]:g} of {values[name][1]}.{name}",
                )
            values[name] = (number, block)
    if strict and all(name in values for name in _BUDGET):
        raise TokenKeyError(
            ("sampling", "max_tokens"), "max_clips is given too; a budget is one or the other"
        )
    return Said(values)


def without_derived(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """A base or a level without the keys that are worked out."""
    return {
        field: {name: inner for name, inner in value.items() if name not in DERIVED[field]}
        if field in DERIVED and isinstance(value, Mapping)
        else value
        for field, value in content.items()
    }


def work_out(merged: dict[str, Any], level: Said, base: BaseDesign) -> dict[str, Any]:
    """A level merged with the base (`without_derived`), with the system's fields put in.

    Raises:
        TokenKeyError: the level's values contradict each other, or come to no design.
    """
    mode = _mode(merged)
    if mode is None or not (level.derived or base.said.derived):
        return merged
    known = _solved(level, _kept(base, {level.gives(name) for name in level.values}), mode)
    budget = level if any(name in level.values for name in _BUDGET) else base.said
    return _put_in(merged, known, budget, mode)


def _complete_base(content: Mapping[Any, Any], said: Said) -> dict[str, Any]:
    plain = without_derived(content)
    mode = _mode(plain)
    if mode is None:
        # What is wrong with the blocks is told; what cannot be worked out for it is not missing.
        return {**plain, "resampler": {"tokens_per_frame": 1, **_block(plain, "resampler")}}
    return _put_in(plain, _solved(said, [], mode), said, mode)


def _solved(said: Said, keep: list[tuple[str, Number]], mode: str) -> dict[str, Number]:
    """The system's fields; `fps` only where the mode has a rate."""
    ours = [name for name in said.values if name not in _BUDGET]
    if mode != "fps":
        _refuse_rates(said)
        ours = [name for name in ours if name not in _RATES]
        keep = [(name, number) for name, number in keep if name not in _RATES]
    needed = [name for name in _FIELDS if mode == "fps" or name not in _RATES]
    try:
        known = solve({name: said.values[name][0] for name in ours}, keep)
        complete(known, needed)
    except TokenSystemError as error:
        raise TokenKeyError(said.place(error.key), str(error)) from None
    return {
        name: int(known[name]) if name in WHOLE else float(known[name])
        for name in (*needed, "tokens_per_clip")
    }


def _put_in(
    merged: dict[str, Any], known: Mapping[str, Number], budget: Said, mode: str
) -> dict[str, Any]:
    filled = {block: dict(_block(merged, block)) for block in BLOCKS}
    for name, block in _FIELDS.items():
        if name in known:
            filled[block][name] = known[name]
    tokens = budget.number("max_tokens")
    if tokens is not None and mode == "fps":
        try:
            clips = clips_within(int(tokens), int(known["tokens_per_clip"]))
        except TokenSystemError as error:
            raise TokenKeyError(("sampling", "max_tokens"), str(error)) from None
        filled["sampling"]["max_clips"] = clips
    return {**merged, **filled}


def _kept(base: BaseDesign, changed: set[str]) -> list[tuple[str, Number]]:
    """What a level keeps of the base, the most wanted first: fields that it does not change before
    those that it does; of either, what the base says before what it came to."""
    fields: dict[str, Number] = {
        "frames_per_clip": base.sampling.frames_per_clip,
        "tokens_per_frame": base.resampler.tokens_per_frame,
    }
    if isinstance(base.sampling, FpsSampling):
        fields["fps"] = base.sampling.fps
    said = [
        (base.said.gives(name), name, number)
        for name, (number, _) in base.said.values.items()
        if name not in _BUDGET
    ]
    wanted = [*said, *((name, name, number) for name, number in fields.items())]
    wanted.sort(key=lambda entry: entry[0] in changed)
    return [(name, number) for _, name, number in wanted]


def _refuse_rates(said: Said) -> None:
    for name in ("tokens_per_second", "max_tokens"):
        if name in said.values:
            raise TokenKeyError(
                said.place(name),
                "belongs to mode fps; a uniform sampling costs frames x tokens_per_frame, "
                "whatever the video's length",
            )


def _number(name: str, value: object, where: KeyPath, *, strict: bool) -> Number | None:
    """A positive number; None, or an error where `strict`, for anything else."""
    whole = name in WHOLE or name in _BUDGET
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value > 0
        and (not whole or value == int(value))
    ):
        return int(value) if whole else value
    if not strict:
        return None
    wanted = "a whole number of at least 1" if whole else "a number above 0"
    raise TokenKeyError(where, f"{value!r} is not allowed: {wanted} is needed")


def _mode(content: Mapping[str, Any]) -> str | None:
    """The sampling's mode, where both blocks are there and it is one."""
    if not all(isinstance(content.get(block), Mapping) for block in BLOCKS):
        return None
    mode = content["sampling"].get("mode")
    return mode if mode in ("fps", "uniform") else None


def _block(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    block = content.get(name)
    return block if isinstance(block, Mapping) else {}


def _located(error: TokenKeyError, content: Mapping[str, Any]) -> ValidationError:
    """pydantic's error at a key of a block, whose location has the block's kind in it."""
    block, *rest = error.where
    tag = str(_block(content, str(block)).get(BLOCKS[str(block)]))
    detail = InitErrorDetails(
        type="value_error", loc=(block, tag, *rest), input=content, ctx={"error": error.text}
    )
    return ValidationError.from_exception_data("BaseDesign", [detail])


def _allow(schema: JsonSchemaValue, keys: Mapping[str, tuple[str, str]]) -> None:
    for name, (meaning, field) in keys.items():
        kind = "integer" if name in WHOLE or name in _BUDGET else "number"
        schema["properties"][name] = {
            "description": f"{meaning}; gives {field}", "exclusiveMinimum": 0, "type": kind
        }  # fmt: skip
    computed = {*_FIELDS, "max_clips"}
    schema["required"] = [name for name in schema["required"] if name not in computed]
