"""How many visual tokens a video costs: five quantities, two equations, one budget.

    tokens_per_clip   = tokens_per_frame * frames_per_clip
    tokens_per_second = tokens_per_frame * fps
    max_clips         = floor(max_tokens / tokens_per_clip)

Whatever subset of them determines the rest gives the rest; a set that leaves something open, or
that contradicts itself, is refused with the values that do so. Decimal numbers are taken as they
are written (0.1 is a tenth), so that two ways of saying one design come out equal to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

# product = factor * factor
EQUATIONS = (
    ("tokens_per_clip", "tokens_per_frame", "frames_per_clip"),
    ("tokens_per_second", "tokens_per_frame", "fps"),
)
WHOLE = ("tokens_per_frame", "frames_per_clip", "tokens_per_clip")
# Numbers written with five or six digits (0.33333) are meant to be what they stand for.
TOLERANCE = Fraction(1, 10**5)

Number = int | float


class TokenSystemError(ValueError):
    """Values that leave the system open or contradict each other.

    Args:
        key: the one to change.
        text: what is wrong.
        sources: all given values that lead to it.
    """

    def __init__(self, key: str, text: str, sources: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.key = key
        self.sources = sources


@dataclass(frozen=True)
class Value:
    """A known quantity and the given ones that it follows from (itself, where it was given)."""

    amount: Fraction
    source: tuple[str, ...]


def solve(
    given: Mapping[str, Number], keep: Iterable[tuple[str, Number]] = ()
) -> dict[str, Fraction]:
    """All that follows from `given`, and from as much of `keep` as `given` leaves open.

    Args:
        given: quantities of the two equations, positive.
        keep: further ones in order of preference. One that is known by the time that its turn
            comes is dropped: what was given wins.

    Raises:
        TokenSystemError: values contradict each other, or what must be whole is not.
    """
    known: dict[str, Value] = {}
    products = {equation[0] for equation in EQUATIONS}
    # Products last: where values contradict each other, it is the product that is told of.
    for name, number in sorted(given.items(), key=lambda item: item[0] in products):
        value = Value(exact(number), (name,))
        if name not in known:
            _add(known, name, value)
        elif not _close(known[name].amount, value.amount):
            raise _contradiction(known, name, value.amount)
    for name, number in keep:
        if name not in known:
            _add(known, name, Value(exact(number), (name,)))
    return {name: value.amount for name, value in known.items()}


def complete(known: Mapping[str, Fraction], needed: Iterable[str]) -> None:
    """Check that nothing of `needed` is open.

    Raises:
        TokenSystemError: something is; the message names it and what would close it.
    """
    missing = [name for name in needed if name not in known]
    if not missing:
        return
    closing = [name for name in _names() if not {*missing} - _reach({*known, name})]
    have = ", ".join(_said(name, amount) for name, amount in known.items()) or "nothing given"
    more = f"one more is needed: {' or '.join(closing)}" if closing else "at least two are needed"
    raise TokenSystemError(
        missing[0], f"{' and '.join(missing)} cannot be worked out from {have}; {more}"
    )


def clips_within(max_tokens: int, tokens_per_clip: int) -> int:
    """Clips that a budget of visual tokens per video has room for.

    Raises:
        TokenSystemError: not even one.
    """
    if max_tokens < tokens_per_clip:
        raise TokenSystemError(
            "max_tokens",
            f"max_tokens={max_tokens} has no room for one clip of tokens_per_clip="
            f"{tokens_per_clip}; give at least that",
        )
    return max_tokens // tokens_per_clip


def exact(number: Number) -> Fraction:
    """A number as it is written in decimals."""
    return Fraction(str(number))


def _add(known: dict[str, Value], name: str, value: Value) -> None:
    """Take one value in, with all that now follows."""
    known[name] = _whole(known, name, value)
    for equation in EQUATIONS:
        if name not in equation:
            continue
        for result, implied in _implied(known, equation):
            if result not in known:
                _add(known, result, implied)


def _implied(
    known: Mapping[str, Value], equation: tuple[str, str, str]
) -> Iterator[tuple[str, Value]]:
    """What each member of an equation must be, where the two others are known."""
    product, one, other = equation
    for result, (first, second) in (
        (product, (one, other)),
        (one, (product, other)),
        (other, (product, one)),
    ):
        if first in known and second in known:
            a, b = known[first], known[second]
            amount = a.amount * b.amount if result == product else a.amount / b.amount
            yield result, Value(amount, tuple(dict.fromkeys((*a.source, *b.source))))


def _whole(known: Mapping[str, Value], name: str, value: Value) -> Value:
    if name not in WHOLE:
        return value
    nearest = round(value.amount)
    if nearest >= 1 and _close(Fraction(nearest), value.amount):
        return Value(Fraction(nearest), value.source)
    if value.source == (name,):
        raise TokenSystemError(name, f"{_said(name, value.amount)}: a whole number is needed")
    raise _not_whole(known, name, value)


def _not_whole(known: Mapping[str, Value], name: str, value: Value) -> TokenSystemError:
    """A quotient that is not whole: the products nearest to the one given that make it so."""
    product, factor = next(
        (product, other)
        for product, one, second in EQUATIONS
        for mine, other in ((one, second), (second, one))
        if mine == name and product in known and other in known
    )
    below, size = math.floor(value.amount), known[factor].amount
    works = [_text(count * size) for count in (below, below + 1) if count >= 1]
    told = " and ".join(_said(key, known[key].amount) for key in (product, factor))
    return TokenSystemError(
        product if product in value.source else value.source[0],
        f"{told} make {_said(name, value.amount)}, which must be whole; "
        f"the nearest {product} that work: {', '.join(works)}",
        value.source,
    )


def _contradiction(known: Mapping[str, Value], name: str, given: Fraction) -> TokenSystemError:
    told = " and ".join(_said(key, known[key].amount) for key in known[name].source)
    return TokenSystemError(
        name,
        f"{told} make {_said(name, known[name].amount)}, which contradicts {_said(name, given)}; "
        "leave one of them out",
        known[name].source,
    )


def _names() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for equation in EQUATIONS for name in equation))


def _reach(known: set[str]) -> set[str]:
    """Names of all that quantities of these names determine."""
    while True:
        more = {
            name
            for equation in EQUATIONS
            if len(known & {*equation}) == 2
            for name in equation
            if name not in known
        }
        if not more:
            return known
        known = known | more


def _close(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= TOLERANCE * max(one, other)


def _said(name: str, amount: Fraction) -> str:
    return f"{name}={_text(amount)}"


def _text(amount: Fraction) -> str:
    return f"{float(amount):.6g}"
