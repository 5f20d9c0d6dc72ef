"""The base of every configuration value: frozen, strict about unknown keys, coerced once."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class Frozen(BaseModel):
    """A value that is coerced to its field types, checked, and never changes afterwards.

    Infinity and NaN are refused: no rate, share or size of ours can be either. So are `true` and
    `false` where a number belongs, which would pass for 1 and 0.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: object, info: Any) -> object:
        field = cls.model_fields[info.field_name]
        if isinstance(value, bool) and field.annotation is not bool:
            raise ValueError(f"{str(value).lower()} is a truth value, which is not taken here")
        return value
