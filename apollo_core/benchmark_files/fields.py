"""What public files have in common: options with letters before them, answers by place or text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from apollo_core.media.manifest_record import BadRecordError, text_of, value_shown

_LETTER = re.compile(r"\(?([A-Z])[.):]\s*")


def without_letters(options: Sequence[str]) -> tuple[str, ...]:
    """`("A. red", "B. blue")` as `("red", "blue")`; options without letters as they are.

    Raises:
        BadRecordError: some have letters, or the letters are not A, B, C, ... in order.
    """
    found = [_LETTER.match(option) for option in options]
    if not any(found):
        return tuple(options)
    letters = "".join(each[1] if each else "-" for each in found)
    if letters != ascii_uppercase[: len(options)]:
        # An option that merely begins so ("U. S.", "I: ...") among options without letters.
        if not found[0]:
            return tuple(options)
        raise BadRecordError(
            f"options: their letters are {letters}; {ascii_uppercase[: len(options)]} is needed"
        )
    return tuple(
        option[each.end() :]
        for option, each in zip(options, found, strict=True)
        if each is not None
    )


def has_letters(options: object) -> bool:
    """Whether options, as a file has them, are a list with `A. `, `B. ` ... before each."""
    if not isinstance(options, list) or not options:
        return False
    found = [_LETTER.match(each) if isinstance(each, str) else None for each in options]
    letters = "".join(each[1] if each else "-" for each in found)
    return letters == ascii_uppercase[: len(options)]


def place_of_text(answer: str, options: Sequence[str], *, field: str = "answer") -> int:
    """The place of the one option that is `answer`, surrounding space aside.

    Raises:
        BadRecordError: no option is, or several are.
    """
    places = [at for at, option in enumerate(options) if option.strip() == answer.strip()]
    if len(places) != 1:
        how = "is none" if not places else f"is {len(places)} times among"
        raise BadRecordError(f"{field}: {answer!r} {how} of the options {list(options)}")
    return places[0]


def place_of(record: Mapping[str, Any], key: str, options: Sequence[str]) -> int:
    """The place that a whole number at `key` gives, counted from 0; `"3"` is a number too.

    Raises:
        BadRecordError: it is no number of an option.
    """
    value = record.get(key)
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise BadRecordError(f"{key}: a whole number is needed, got {value_shown(record, key)}")
    if not 0 <= number < len(options):
        raise BadRecordError(f"{key}: {number} is no option; allowed: 0 to {len(options) - 1}")
    return number


def stem_of(record: Mapping[str, Any], key: str) -> str:
    """A video's name at `key`, a text or a number; it names a file, so it holds no folder."""
    value = record.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    name = text_of(record, key).strip()
    if "/" in name or "\\" in name:
        raise BadRecordError(f"{key}: {name!r} names a file; it may hold no folder")
    return name
