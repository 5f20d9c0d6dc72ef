"""How many bytes the features of frozen encoders may take: what a sweep file says of it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, NonNegativeInt

from apollo_core.frozen import Frozen

# Enough for a laptop's sweep and for no full-size one, whose features are asked for by name.
DEFAULT_BYTES = 20 * 10**9

_UNITS = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", start=1)},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(given: Any) -> Any:
    """`200GB` and its like as a number; anything that is no text as it is.

    Raises:
        ValueError: text that is no size.
    """
    if not isinstance(given, str):
        return given
    found = _SIZE.fullmatch(given)
    unit = (found[2] or "B") if found else ""
    # `kb`, `Gb` and `gb` are meant as bytes by everybody who writes them here.
    units = {name.lower(): size for name, size in _UNITS.items()}
    if found is None or unit.lower() not in units:
        raise ValueError(
            f"{given!r} is not allowed: a size is needed, such as 200GB; units: {', '.join(_UNITS)}"
        )
    return round(float(found[1]) * units[unit.lower()])


def _in_full(given: Any) -> Any:
    """`off`, `auto` or a size alone, as a mapping."""
    if given == "off":
        return {"budget": 0}
    if given == "auto":
        return {}
    if isinstance(given, str | int) and not isinstance(given, bool):
        return {"budget": given}
    return given


Bytes = Annotated[NonNegativeInt, BeforeValidator(parse_bytes, json_schema_input_type=int | str)]


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
