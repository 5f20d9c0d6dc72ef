"""Sizes in bytes as people write them: `200GB`, `1.5TiB`."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, NonNegativeInt

_UNITS = {
    "B": 1,
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGTP", start=1)},
}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def parse_bytes(given: Any) -> Any:
    """A size in text as a number of bytes; anything that is no text as it is.

    Small and capital letters are one: nobody writes bits here.

    Raises:
        ValueError: text that is no size.
    """
    if not isinstance(given, str):
        return given
    found = _SIZE.fullmatch(given)
    units = {name.lower(): size for name, size in _UNITS.items()}
    unit = (found[2] or "B").lower() if found else ""
    if found is None or unit not in units:
        raise ValueError(
            f"{given!r} is not allowed: a size is needed, such as 200GB; units: {', '.join(_UNITS)}"
        )
    size = float(found[1]) * units[unit]
    if math.isinf(size):
        raise ValueError(f"{given[:40]!r}... is not allowed: no disk or memory is that large")
    return round(size)


Bytes = Annotated[NonNegativeInt, BeforeValidator(parse_bytes, json_schema_input_type=int | str)]
