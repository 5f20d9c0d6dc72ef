"""The token system in a sweep file: what `sampling` and `resampler` may say of it.

Beside their own fields, `sampling` takes `tokens_per_second` and `max_tokens` (visual tokens that
one video may cost), `resampler` takes `tokens_per_second` and `tokens_per_clip`. What they come to
is worked out in `orchestrator.spec.base_design`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apollo_core.token_system import WHOLE, Number
from orchestrator.spec.yaml_reading import KeyPath

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
FIELDS = {"fps": "sampling", "frames_per_clip": "sampling", "tokens_per_frame": "resampler"}
BUDGET = ("max_tokens", "max_clips")
RATES = ("fps", "tokens_per_second")


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
        return (self.values[name][1] if name in self.values else FIELDS[name], name)


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
        block: [*(name for name, home in FIELDS.items() if home == block), *DERIVED[block]]
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
    if strict and all(name in values for name in BUDGET):
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


def _number(name: str, value: object, where: KeyPath, *, strict: bool) -> Number | None:
    """A positive number; None, or an error where `strict`, for anything else."""
    whole = name in WHOLE or name in BUDGET
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
