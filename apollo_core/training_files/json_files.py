"""JSON lines and JSON lists, entry by entry, each with the bytes that it takes in its file."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import parse_line, record_in

Row = Mapping[str, Any]
_BOM = b"\xef\xbb\xbf"
_PIECE = 1 << 20
# What is read for one entry of a list before it is called endless: a conversation, not a film.
_LONGEST = 1 << 28
# An error so near the end of what was read may be no error in what follows (`-Infinity`, `\u12ab`).
_UNSURE = 16
_BLANK = re.compile(r"[ \t\r\n]*")


class Entry(NamedTuple):
    """One entry: its place as errors name it, its bytes in the file, and what reads it."""

    place: str
    start: int
    length: int
    load: Callable[[], Row]


def entries_of_lines(path: Path) -> Iterator[Entry]:
    """Every line that is not blank.

    Raises:
        DataMissing: there is no such file.
        BadInput: it cannot be read.
    """
    with _opened(path) as file:
        at = 0
        for number, line in enumerate(file, start=1):
            bom = len(_BOM) if number == 1 and line.startswith(_BOM) else 0
            text = line[bom:].removesuffix(b"\n")
            if text.strip():
                yield Entry(f":{number}", at + bom, len(text), partial(parse_line, text))
            at += len(line)


def entries_of_list(path: Path) -> Iterator[Entry]:
    """Every entry of a JSON file that is one list; of JSON lines under that name, every line.

    No more than a piece of the file is in memory at a time. Raises as `entries_of_lines`, and
    `BadInput` with the line where the list itself is broken.
    """
    with _opened(path) as file:
        text = _Text(path, file)
        if text.peek() == "[":
            text.skip()
            yield from _entries(text)
            return
    yield from entries_of_lines(path)


def _entries(text: _Text) -> Iterator[Entry]:
    number = 0
    if text.peek() == "]":
        return
    while True:
        number += 1
        start, length, value = text.value()
        yield Entry(f", entry {number}", start, length, partial(record_in, value))
        mark = text.peek()
        if mark not in (",", "]"):
            raise text.broken("a comma or the end of the list is needed behind an entry")
        text.skip()
        if mark == "]":
            return


class _Text:
    """The text of a JSON file, a piece at a time."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._json = json.JSONDecoder()
        self._held = ""
        self._at = 0
        self._bytes = 0  # of the file, up to `_at`
        self._lines = 1
        self._more(_PIECE)
        if self._held.startswith("\ufeff"):
            self.skip()

    def peek(self) -> str:
        """The next character that is not blank; "" at the end of the file."""
        while True:
            found = _BLANK.match(self._held, self._at)
            assert found is not None
            self._go_to(found.end())
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more(_PIECE):
                return ""

    def skip(self) -> None:
        """Pass over one character."""
        self._go_to(self._at + 1)

    def value(self) -> tuple[int, int, Any]:
        """The next value: where it begins, how many bytes it takes, and itself."""
        if not self.peek():
            raise self.broken("the file ends inside the list; it was cut off")
        piece = _PIECE
        while True:
            try:
                value, end = self._json.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                left = len(self._held) - self._at
                unsure = error.pos > len(self._held) - _UNSURE
                if not (unsure or error.msg.startswith("Unterminated")) or left > _LONGEST:
                    self._go_to(error.pos)
                    raise self.broken(error.msg) from None
                place = error.pos - self._at
                if not self._more(piece):
                    raise self._ended(error.msg, place) from None
                piece *= 2  # so that a long entry is not parsed again and again
            except RecursionError:
                raise self.broken("nested too deep") from None
            else:
                start = self._bytes
                self._go_to(end)
                return start, self._bytes - start, value

    def _ended(self, why: str, place: int) -> BadInput:
        """What to say of an entry that is broken at `place` from where it begins, or was cut."""
        if place < len(self._held.rstrip()) and not why.startswith("Unterminated"):
            self._go_to(place)
            return self.broken(why)
        return self.broken("the file ends inside an entry; it was cut off")

    def broken(self, why: str) -> BadInput:
        """That the file is no JSON at the place that was reached."""
        return BadInput(f"{self._path}:{self._lines}: not JSON: {why}")

    def _go_to(self, at: int) -> None:
        passed = self._held[self._at : at]
        self._bytes += len(passed) if passed.isascii() else len(passed.encode())
        self._lines += passed.count("\n")
        self._at = at

    def _more(self, size: int) -> bool:
        """Hold more, and let go of what was gone through."""
        raw = self._file.read(size)
        self._held, self._at = self._held[self._at :], 0
        try:
            self._held += self._decoder.decode(raw, final=not raw)
        except UnicodeDecodeError as error:
            line = self._lines + self._held.count("\n") + error.object.count(b"\n", 0, error.start)
            raise BadInput(f"{self._path}:{line}: not UTF-8; save the file as UTF-8") from None
        return bool(raw)


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such manifest") from None
    except OSError as error:
        raise BadInput(f"{path}: the manifest cannot be read: {error.strerror}") from None
