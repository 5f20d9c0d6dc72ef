"""Amounts in words, as short as they can be told."""

from __future__ import annotations

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


def in_words(seconds: float) -> str:
    """A duration, roughly: `40 s`, `12 min`, `3.5 h`, `2.1 d`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def flops_in_words(flops: float) -> str:
    """An amount of arithmetic: `1.2 PFLOPs`."""
    power = 0
    while flops >= 1000 and power < len(_PREFIXES) - 1:
        flops, power = flops / 1000, power + 1
    return f"{flops:.3g} {_PREFIXES[power]}FLOPs"


def counted(count: int, noun: str) -> str:
    """A count with its noun: `1 stage`, `2 stages`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
