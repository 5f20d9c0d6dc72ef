"""Strict canonical JSON: one text for one value, and an error for what has no single text."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping


def canonical(value: object) -> str:
    """Sorted keys, no spaces, ASCII, floats by `repr`; a tuple is a list and -0.0 is 0.0.

    Raises:
        TypeError: a type that JSON does not have, or a key that is not text.
        ValueError: NaN or an infinity.
    """
    return json.dumps(
        _checked(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def digest(value: object) -> str:
    """sha256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def _checked(value: object) -> object:
    # `type(x) is` and not isinstance: a subclass (an enum, numpy's float64) may print otherwise.
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} has no canonical form")
        return value + 0.0  # -0.0 + 0.0 is 0.0
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise TypeError(f"key {key!r} of type {type(key).__name__} is not text")
        return {key: _checked(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(inner) for inner in value]
    raise TypeError(f"{value!r} of type {type(value).__name__} has no canonical form")
