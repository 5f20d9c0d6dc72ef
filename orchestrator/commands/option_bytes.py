"""Sizes that options give, as text with a unit."""

from __future__ import annotations


def option_bytes(option: str, given: str, *, least: str, most: str) -> int:
    """Bytes that `--gpu-memory 80GB` and its like mean.

    Args:
        option: as it is typed.
        given: its value.
        least, most: what is allowed, as people write it.

    Raises:
        BadInput: it is no size, or not among those.
    """
    from apollo_core.byte_sizes import parse_bytes
    from apollo_core.errors import BadInput

    try:
        size = parse_bytes(given)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None
    if not parse_bytes(least) <= size <= parse_bytes(most):
        raise BadInput(
            f"{option}: {given!r} is not allowed: from {least} to {most} is; say the unit too, "
            "such as 80GB"
        )
    return size
