"""How many bytes the features of frozen encoders may take: what a sweep file says of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from apollo_core.byte_sizes import Bytes, parse_bytes
from apollo_core.frozen import Frozen

# Enough for a laptop's sweep and for no full-size one, whose features are asked for by name.
DEFAULT_BYTES = 20 * 10**9


def _in_full(given: Any) -> Any:
    """`off`, `auto` or a size alone, as a mapping."""
    if given == "off":
        return {"budget": 0}
    if given == "auto":
        return {}
    if isinstance(given, str):
        try:
            return {"budget": parse_bytes(given)}
        except ValueError as error:
            raise ValueError(f"{error}; or auto, or off") from None
    if isinstance(given, int) and not isinstance(given, bool):
        return {"budget": given}
    return given


class FeatureBudget(Frozen):
    """Room for features beside the store's results.

    `budget`: bytes, or text with a unit (`200GB`, `1.5TiB`); 0 keeps none.
    """

    budget: Bytes = DEFAULT_BYTES


FeatureCacheOption = Annotated[
    FeatureBudget,
    BeforeValidator(
        _in_full, json_schema_input_type=Literal["auto", "off"] | str | int | FeatureBudget
    ),
]
