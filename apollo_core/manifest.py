"""Read manifests: the conversations to train on, the questions to be scored on.

A manifest is JSONL in UTF-8, one record per line. Media paths are relative to a media root.

Training, one LLaVA-style conversation per line; one of `video`, `image`, `images`, or none:

    {"id": "v0", "video": "videos/v0.mp4", "conversations": [
        {"from": "human", "value": "<video>\\nWhich digit?"}, {"from": "gpt", "value": "7"}]}

(`messages` with `role` and `content`, roles `user` and `assistant`, says the same.)

Benchmark, one multiple-choice question per line:

    {"id": "q0", "video": "videos/b0.mp4", "question": "Which digit appears first?",
     "options": ["3", "5", "7", "9"], "answer": "C", "category": "temporal_ocr"}
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from string import ascii_uppercase
from typing import Any, Literal, TypeVar

from apollo_core.errors import BadInput, DataMissing

MediaKind = Literal["video", "image", "images"]
Turn = tuple[str, str]

MARKS: dict[MediaKind, str] = {"video": "<video>", "image": "<image>", "images": "<image>"}
ROLES = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}
SHOWN = 10  # bad lines that one message lists


@dataclass(frozen=True)
class Sample:
    """One conversation: `kind` and paths of its media, turns of ("human" | "gpt", text)."""

    id: str
    kind: MediaKind | None
    media: tuple[str, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True)
class Item:
    """One multiple-choice question; `answer_index` counts from 0."""

    id: str
    video: str
    question: str
    options: tuple[str, ...]
    answer_index: int
    category: str


Record = TypeVar("Record", Sample, Item)


class _BadLineError(Exception):
    """What is wrong with one line."""


def read_manifest(path: str | Path) -> tuple[Sample, ...]:
    """The conversations of a training manifest, in file order.

    Raises:
        DataMissing: there is no such file.
        BadInput: naming file, line and what is wrong, for the first bad lines.
    """
    return _read(Path(path), _sample)


def read_benchmark(path: str | Path) -> tuple[Item, ...]:
    """The questions of a benchmark manifest, in file order. Raises as `read_manifest`."""
    return _read(Path(path), _item)


def media_of(path: str | Path) -> tuple[tuple[MediaKind, str], ...]:
    """Every distinct (kind, media path) of either sort of manifest, in order of appearance.

    A manifest whose first record has `options` is a benchmark. Raises as `read_manifest`.
    """
    if _is_benchmark(Path(path)):
        return tuple(dict.fromkeys(("video", item.video) for item in read_benchmark(path)))
    samples = read_manifest(path)
    return tuple(dict.fromkeys((s.kind, name) for s in samples if s.kind for name in s.media))


def _read(path: Path, parse: Callable[[Mapping[str, Any]], Record]) -> tuple[Record, ...]:
    records: list[Record] = []
    lines_of: dict[str, int] = {}
    wrong: list[str] = []
    for number, line in _lines(path):
        try:
            record = parse(_object(line))
            first = lines_of.setdefault(record.id, number)
            if first != number:
                raise _BadLineError(
                    f"id {record.id!r} was used in line {first} already; ids are unique"
                )
            records.append(record)
        except _BadLineError as error:
            wrong.append(f"{path}:{number}: {error}")
    if wrong:
        more = f"\n... and {len(wrong) - SHOWN} more bad lines" if len(wrong) > SHOWN else ""
        raise BadInput("\n".join(wrong[:SHOWN]) + more)
    if not records:
        raise BadInput(f"{path}: the manifest is empty; one JSON record per line is needed")
    return tuple(records)


def _lines(path: Path) -> list[tuple[int, bytes]]:
    """The lines that are not blank, numbered from 1."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such manifest") from None
    except OSError as error:
        raise BadInput(f"{path}: the manifest cannot be read: {error.strerror}") from None
    lines = enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1)
    return [(number, line) for number, line in lines if line.strip()]


def _is_benchmark(path: Path) -> bool:
    for _, line in _lines(path)[:1]:
        try:
            return "options" in _object(line)
        except _BadLineError:  # told, with its line, by the reader proper
            return False
    return False


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _BadLineError(
            f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise _BadLineError(f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _BadLineError("not a record: nested too deep") from None
    if not isinstance(value, dict):
        raise _BadLineError(f"a JSON object is needed, got {type(value).__name__}")
    return value


def _sample(record: Mapping[str, Any]) -> Sample:
    kind, media = _media(record)
    turns = _turns(record)
    _check_marks(turns, kind, len(media))
    return Sample(_id(record), kind, media, turns)


def _item(record: Mapping[str, Any]) -> Item:
    options = _texts(record, "options")
    if not 2 <= len(options) <= len(ascii_uppercase):
        raise _BadLineError(f"options: 2 to {len(ascii_uppercase)} are needed, got {len(options)}")
    letters = ascii_uppercase[: len(options)]
    answer = _text(record, "answer")
    if len(answer) != 1 or answer not in letters:
        raise _BadLineError(
            f"answer: {answer!r} is not the letter of an option; allowed: {letters}"
        )
    return Item(
        id=_id(record),
        video=_inside("video", _text(record, "video")),
        question=_text(record, "question"),
        options=options,
        answer_index=letters.index(answer),
        category=_text(record, "category"),
    )


def _id(record: Mapping[str, Any]) -> str:
    value = record.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _text(record, "id")


def _media(record: Mapping[str, Any]) -> tuple[MediaKind | None, tuple[str, ...]]:
    given: list[MediaKind] = [kind for kind in MARKS if kind in record]
    if len(given) > 1:
        raise _BadLineError(
            f"media: at most one of video, image, images; got {' and '.join(given)}"
        )
    if not given:
        return None, ()
    kind: MediaKind = given[0]
    names = _texts(record, kind) if kind == "images" else (_text(record, kind),)
    if not names:
        raise _BadLineError("images: the list is empty; leave the key out for text only")
    return kind, tuple(_inside(kind, name) for name in names)


def _turns(record: Mapping[str, Any]) -> tuple[Turn, ...]:
    key, role_key, text_key = "conversations", "from", "value"
    if "messages" in record and key not in record:
        key, role_key, text_key = "messages", "role", "content"
    turns = record.get(key)
    if not isinstance(turns, list) or not turns:
        raise _BadLineError(f"{key}: a list of turns is needed, got {_shown(record, key)}")
    read: list[Turn] = []
    for number, turn in enumerate(turns):
        where = f"{key}[{number}]"
        if not isinstance(turn, dict):
            raise _BadLineError(f"{where}: an object is needed, got {type(turn).__name__}")
        role = ROLES.get(str(turn.get(role_key)))
        if role is None:
            raise _BadLineError(
                f"{where}.{role_key}: unknown {turn.get(role_key)!r}; {list(ROLES)}"
            )
        if role != ("human", "gpt")[number % 2]:
            raise _BadLineError(
                f"{where}.{role_key}: turns alternate human, gpt, starting with human"
            )
        read.append((role, _text(turn, text_key, where=f"{where}.")))
    if len(read) % 2:
        raise _BadLineError(f"{key}: the last turn must be gpt's; there is no answer to learn")
    return tuple(read)


def _check_marks(turns: tuple[Turn, ...], kind: MediaKind | None, files: int) -> None:
    """One mark per media file, in human text, of the media's kind."""
    for mark in ("<video>", "<image>"):
        wanted = files if kind and MARKS[kind] == mark else 0
        found = sum(text.count(mark) for role, text in turns if role == "human")
        if found != wanted:
            raise _BadLineError(
                f"{mark} stands {found} times in human text, but {wanted} such media are given; "
                "every media file needs exactly one mark"
            )
        if any(mark in text for role, text in turns if role == "gpt"):
            raise _BadLineError(f"{mark} stands in a gpt turn; marks belong to human text")


def _text(record: Mapping[str, Any], key: str, *, where: str = "") -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise _BadLineError(f"{where}{key}: a text is needed, got {_shown(record, key)}")
    return value


def _texts(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = record.get(key)
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise _BadLineError(f"{key}: a list of texts is needed, got {_shown(record, key)}")
    return tuple(value)


def _shown(record: Mapping[str, Any], key: str) -> str:
    return repr(record[key])[:80] if key in record else "nothing (the key is missing)"


def _inside(key: str, name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _BadLineError(f"{key}: {name!r} must be relative to the media root, and inside it")
    return name
