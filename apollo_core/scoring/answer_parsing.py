"""Which option a generated answer names: strictly, or none at all.

An answer is read line by line. Its first line, without surrounding space, must be one of

    B            B.           B)           B:           (B)          (B).         [B]
    B. text      B) text      B: text      (B) text     [B] text
    text

alone or behind `answer:`, `the answer is`, `the answer is:`, each also with `correct` or `best`
before `answer`, whatever its case. `text` is the option's own, whatever its case, with or without
a full stop; behind a letter also a beginning of it where the answer ends there, as the limit of
tokens may leave it. Letters are capitals and must be an option's; a small one is taken only where
it is all that stands there (`b`, `(b).`), for "the answer is a" may be cut off.

Everything else is no answer, and counts as wrong. Above all, no letter is looked for inside a
sentence: "A cat is on the mat" names nothing, nor do "I think B", "A) is wrong; it is C" and
"B. because it moves". What names two options is no answer either: a letter with another option's
text ("A. blue"), a letter that is also another option's text, a first line with another option's in
a later one ("A. red", then "B. blue": a repetition of the question). In later lines a letter and a
mark name its option whatever follows them; other words there count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from string import ascii_uppercase

LETTERS = ascii_uppercase  # what options are listed under

# Recorded with the results. What is accepted changes only with a new name here and a new
# STAGE_VERSION of `evaluate`.
PARSER = "letter-parser-v1"

_PHRASE = re.compile(r"(?:the )?(?:(?:correct|best) )?answer(?: is:?|:)\s+", re.IGNORECASE)
_LETTER = re.compile(r"([A-Z])[.):]?|\(([A-Z])\)\.?|\[([A-Z])\]")
_LETTER_WITH_WORDS = re.compile(r"(?:([A-Z])[.):]|\(([A-Z])\)|\[([A-Z])\])\s+(.*)")


def parse_answer(generated: str, options: Sequence[str]) -> int | None:
    """The place of the option that `generated` names, counted from 0; None if it names no one.

    Args:
        generated: what the model wrote, without special tokens.
        options: texts as they were listed, A first.
    """
    lines = [line.strip() for line in generated.splitlines() if line.strip()]
    if not lines:
        return None
    first, *later = lines
    named = _named(first, options)
    if len(named) != 1 or any(not _named(line, options) <= named for line in later):
        return None
    place = named.pop()
    return place if _is_whole(first, options, place, may_be_cut=not later) else None


def _named(line: str, options: Sequence[str]) -> set[int]:
    """Every option that the line begins with or consists of; any words may follow a letter."""
    said = _said(line)
    named = {place for place, option in enumerate(options) if _same(said, option)}
    # Behind a phrase a small letter may be the beginning of a word.
    letter = _LETTER.fullmatch(said.upper() if said == line else said)
    if letter is None and (listed := _LETTER_WITH_WORDS.fullmatch(said)):
        return named | set(_places(listed.groups()[:3], options))
    return named | set(_places(letter.groups(), options)) if letter else named


def _is_whole(line: str, options: Sequence[str], place: int, *, may_be_cut: bool) -> bool:
    """Whether words behind a letter, if there are any, are the text of the option at `place`."""
    said, option = _said(line), options[place]
    listed = _LETTER_WITH_WORDS.fullmatch(said)
    if listed is None or _same(said, option) or _same(listed[4], option):
        return True
    words = listed[4]
    begins = bool(_plain(words)) and _plain(option).startswith(_plain(words))
    return may_be_cut and begins and _named(words, options) <= {place}


def _said(line: str) -> str:
    phrase = _PHRASE.match(line)
    return line[phrase.end() :] if phrase else line


def _places(groups: Sequence[str | None], options: Sequence[str]) -> Iterator[int]:
    known = [*LETTERS[: len(options)]]
    yield from (known.index(letter) for letter in groups if letter in known)


def _same(said: str, option: str) -> bool:
    return _plain(said) == _plain(option)


def _plain(text: str) -> str:
    return " ".join(text.split()).removesuffix(".").casefold()
