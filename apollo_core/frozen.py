"""The base of every configuration value: frozen, strict about unknown keys, coerced once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Frozen(BaseModel):
    """A value that is coerced to its field types, checked, and never changes afterwards.

    Infinity and NaN are refused: no rate, share or size of ours can be either. So are `true` and
    `false` where a number belongs, which would pass for 1 and 0.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @model_validator(mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any) -> Any:
        given: dict[str, object] = value if isinstance(value, dict) else {}
        for name, field in cls.model_fields.items():
            if isinstance(given.get(name), bool) and field.annotation is not bool:
                raise ValueError(f"{name} takes no truth value such as {given[name]}")
        return value
