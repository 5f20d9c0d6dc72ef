"""From what a file says of the token system to a complete design: the base, a level over it.

What is said is worked out to `fps`, `frames_per_clip`, `max_clips` and `tokens_per_frame`, the
fields of a `Design`, so that two ways of saying one design have one key.

A key changes the field that it gives (`token_keys.DERIVED`), and the block that it stands in says
which: over a base of 2 fps and 16 tokens a frame, `sampling: {tokens_per_second: 64}` samples at 4
fps, `resampler: {tokens_per_second: 64}` gives 32 tokens a frame. What a level says wins over what
the base says, and that over what the base came to: over a base of 32 tokens a second and 16 a
frame, a level of 8 tokens a frame has 4 fps. A base's `max_tokens` holds for its levels too: fewer
tokens a frame, more clips. Values of one level that contradict each other are an error.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from orchestrator.spec.token_keys import (
    BLOCKS,
    BUDGET,
    DERIVED,
    FIELDS,
    RATES,
    Said,
    TokenKeyError,
    read,
    without_derived,
)


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


def work_out(merged: dict[str, Any], level: Said, base: BaseDesign) -> dict[str, Any]:
    """A level merged with the base (`without_derived`), with the system's fields put in.

    Raises:
        TokenKeyError: the level's values contradict each other, or come to no design.
    """
    mode = _mode(merged)
    if mode is None or not (level.derived or base.said.derived):
        return merged
    known = _solved(level, _kept(base, {level.gives(name) for name in level.values}), mode)
    budget = level if any(name in level.values for name in BUDGET) else base.said
    return _put_in(merged, known, budget, mode)


def _complete_base(content: Mapping[Any, Any], said: Said) -> dict[str, Any]:
    plain = without_derived(content)
    mode = _mode(plain)
    if mode is None:
        # What is wrong with the blocks is told; what cannot be worked out for it is not missing.
        stand_in = {"tokens_per_frame": 1, **_block(plain, "resampler")}
        return {**plain, "resampler": stand_in} if _block(plain, "resampler") else plain
    return _put_in(plain, _solved(said, [], mode), said, mode)


def _solved(said: Said, keep: list[tuple[str, Number]], mode: str) -> dict[str, Number]:
    """The system's fields; `fps` only where the mode has a rate."""
    ours = [name for name in said.values if name not in BUDGET]
    if mode != "fps":
        _refuse_rates(said)
        ours = [name for name in ours if name not in RATES]
        keep = [(name, number) for name, number in keep if name not in RATES]
    needed = [name for name in FIELDS if mode == "fps" or name not in RATES]
    try:
        known = solve({name: said.values[name][0] for name in ours}, keep)
        complete(known, needed)
    except TokenSystemError as error:
        # What a level keeps of the base may not fit it: then it is the level's key that is wrong.
        told = next((key for key in (error.key, *error.sources) if key in said.values), error.key)
        raise TokenKeyError(said.place(told), str(error)) from None
    return {
        name: int(known[name]) if name in WHOLE else float(known[name])
        for name in (*needed, "tokens_per_clip")
    }


def _put_in(
    merged: dict[str, Any], known: Mapping[str, Number], budget: Said, mode: str
) -> dict[str, Any]:
    filled = {block: dict(_block(merged, block)) for block in BLOCKS}
    for name, block in FIELDS.items():
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
        if name not in BUDGET
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
        kind = "integer" if name in WHOLE or name in BUDGET else "number"
        schema["properties"][name] = {
            "description": f"{meaning}; gives {field}", "exclusiveMinimum": 0, "type": kind
        }  # fmt: skip
    computed = {*FIELDS, "max_clips"}
    schema["required"] = [name for name in schema["required"] if name not in computed]
