"""Which option a generated answer names: strictly, or none at all.

An answer is read line by line. Its first line, without surrounding space, must be one of

    B            B.           B)           B:           (B)          (B).         [B]
    B. words     B) words     B: words     (B) words    [B] words
    the text of an option, whatever its case, with or without a full stop

alone or behind `answer:`, `the answer is`, `the answer is:`, each also with `correct` or `best`
before `answer`, whatever its case. Letters are capitals and must be an option's; a small one is
taken only where it is all that stands there (`b`, `(b).`), for "the answer is a" may be cut off.

Everything else is no answer, and counts as wrong. Above all, no letter is looked for inside a
sentence: "A cat is on the mat" names nothing, since no mark stands behind the `A`; "I think B"
names nothing. What names two options is no answer either: "A. red B. blue", a first line that is
followed by another option's ("A. red", then "B. blue": a repetition of the question), a letter with
another option's text ("A. blue"), a letter that is also another option's text. Words after the
first line count only in that way.
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
_LISTED = re.compile(r"(?<![\w'])(?:([A-Z])[.):]|\(([A-Z])\)|\[([A-Z])\])(?!\w)")


def parse_answer(generated: str, options: Sequence[str]) -> int | None:
    """The place of the option that `generated` names, counted from 0; None if it names no one.

    Args:
        generated: what the model wrote, without special tokens.
        options: texts as they were listed, A first.
    """
    lines = [line.strip() for line in generated.splitlines() if line.strip()]
    if not lines:
        return None
    named = _line(lines[0], options)
    if len(named) != 1:
        return None
    later = {place for line in lines[1:] for place in _line(line, options)}
    return named.pop() if later <= named else None


def _line(line: str, options: Sequence[str]) -> set[int]:
    """Every option that the line names in an accepted form: none, one, or a contradiction."""
    phrase = _PHRASE.match(line)
    said = line[phrase.end() :] if phrase else line
    named = {place for place, option in enumerate(options) if _same(said, option)}
    if alone := _LETTER.fullmatch(said if phrase else said.upper()):
        return named | set(_places(alone.groups(), options))
    listed = _LETTER_WITH_WORDS.fullmatch(said)
    if listed and (places := set(_places(listed.groups()[:3], options))):
        return named | places | _contradicting(listed[4], places, options)
    return named


def _contradicting(words: str, places: set[int], options: Sequence[str]) -> set[int]:
    """Options that the words behind a letter name too; its own text may hold anything."""
    if any(_same(words, options[place]) for place in places):
        return set()
    texts = {place for place, option in enumerate(options) if _same(words, option)}
    letters = {p for found in _LISTED.finditer(words) for p in _places(found.groups(), options)}
    return texts | letters | set(_places((words,), options))


def _places(groups: Sequence[str | None], options: Sequence[str]) -> Iterator[int]:
    known = [*LETTERS[: len(options)]]
    yield from (known.index(letter) for letter in groups if letter in known)


def _same(said: str, option: str) -> bool:
    return _plain(said) == _plain(option)


def _plain(text: str) -> str:
    return " ".join(text.split()).removesuffix(".").casefold()
