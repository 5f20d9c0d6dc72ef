"""Numbers as people read them."""

from __future__ import annotations

_PREFIXES = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"]


def si(value: float) -> str:
    """A number with three digits and an SI prefix: 1.23 T."""
    power = 0
    while value >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}".rstrip() + (" " if power == 0 else "")


def parameters(count: int) -> str:
    """A count of parameters as papers print it: 38.4M, 1.40B."""
    for unit, name in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if count >= 0.9995 * unit:
            return f"{count / unit:#.3g}".rstrip(".") + name
    return str(count)


def duration(seconds: float) -> str:
    """Seconds as people say them: 45 s, 12 min, 3.4 h, 25 d."""
    for limit, unit, name in ((90, 1, "s"), (5400, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.3g} {name}"
    days = seconds / 86400
    return f"{days:.3g} d" if days < 100 else f"{days:,.0f} d"


def counted(count: int, noun: str) -> str:
    """A number and its noun, in the plural where it is one."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
