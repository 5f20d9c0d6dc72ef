"""The base of every configuration value: frozen, strict about unknown keys, coerced once."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value that is coerced to its field types, checked, and never changes afterwards.

    Infinity and NaN are refused: no rate, share or size of ours can be either.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )
