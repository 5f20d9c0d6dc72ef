"""One record of a manifest: from a line of JSON to a checked value, or to what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import ascii_uppercase
from sys import intern
from typing import Any, Literal, NamedTuple

MediumKind = Literal["video", "image"]
Turn = tuple[str, str]

MARKS: dict[MediumKind, str] = {"video": "<video>", "image": "<image>"}
# JSON writes an emoji as two halves, `\ud83d\ude00`, and may hold one alone; no tokenizer does.
_HALF = re.compile("[\ud800-\udfff]")
_MARK = re.compile("|".join(MARKS.values()))
# Both spellings of the file format become the one that chat templates know.
ROLES = {
    "human": "user", "gpt": "assistant",
    "user": "user", "assistant": "assistant", "system": "system",
}  # fmt: skip


class Medium(NamedTuple):
    """One image or video; `path` is relative to the media root."""

    kind: MediumKind
    path: str


@dataclass(frozen=True)
class Sample:
    """One conversation.

    Attributes:
        id: unique in its manifest; one that its file repeats has its place behind it (`000#2`).
        media: in the order of their marks in the text.
        turns: ("system" | "user" | "assistant", text); a system turn only as the first.
    """

    id: str
    media: tuple[Medium, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One multiple-choice question; `answer_index` counts from 0.

    Attributes:
        category: whose mean counts: a score overall is the unweighted mean of the categories.
        duration_group: which of the benchmark's groups of lengths the video is in; "" = none.
        task_type: the benchmark's kind of question, where that is not the category; "" = none.
    """

    id: str
    video: str
    question: str
    options: tuple[str, ...]
    answer_index: int
    category: str
    duration_group: str = ""
    task_type: str = ""


class BadRecordError(Exception):
    """What is wrong with one record, in words."""


class UnanswerableError(BadRecordError):
    """Why a question of a published file has no right answer; it is left out, and told."""


def parse_line(
    line: bytes, *, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Mapping[str, Any]:
    """The JSON object in one line; `pairs` makes each object. Raises `BadRecordError`."""
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=pairs)
    except UnicodeDecodeError as error:
        raise BadRecordError(
            f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise BadRecordError(f"not JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise BadRecordError("not a record: nested too deep") from None
    return record_in(value)


def record_in(value: object) -> Mapping[str, Any]:
    """The object that a value has to be. Raises `BadRecordError`."""
    if not isinstance(value, dict):
        raise BadRecordError(f"a JSON object is needed, got {type(value).__name__}")
    return value


def sample_of(record: Mapping[str, Any]) -> Sample:
    """One conversation to train on. Raises `BadRecordError`."""
    files: dict[MediumKind, tuple[str, ...]] = {kind: _files(record, kind) for kind in MARKS}
    turns = _turns(record)
    _check_marks(turns, files)
    return Sample(id_of(record), _in_order(turns, files), turns)


def item_of(record: Mapping[str, Any]) -> Item:
    """One question to be scored on. Raises `BadRecordError`."""
    options = texts_of(record, "options")
    return checked_item(
        id=id_of(record),
        video=text_of(record, "video"),
        question=text_of(record, "question"),
        options=options,
        answer_index=letter_place(text_of(record, "answer"), options),
        category=text_of(record, "category"),
        duration_group=label_of(record, "duration_group"),
        task_type=label_of(record, "task_type"),
    )


def checked_item(
    *,
    id: str,
    video: str,
    question: str,
    options: Sequence[str],
    answer_index: int,
    category: str,
    duration_group: str = "",
    task_type: str = "",
) -> Item:
    """An item whose video lies below the media root. Raises `BadRecordError`."""
    labels = {"category": category, "duration_group": duration_group, "task_type": task_type}
    for key, text in {"id": id, "video": video, "question": question, **labels}.items():
        _whole(key, text)
    return Item(
        id,
        inside("video", video),
        question,
        tuple(_whole("options", option) for option in options),
        answer_index,
        # The same few words in a million items: one text each.
        intern(category),
        intern(duration_group),
        intern(task_type),
    )


def letter_place(answer: str, options: Sequence[str], *, field: str = "answer") -> int:
    """The place of the option with this letter, counted from 0. Raises `BadRecordError`."""
    if not 2 <= len(options) <= len(ascii_uppercase):
        raise BadRecordError(f"options: 2 to {len(ascii_uppercase)} are needed, got {len(options)}")
    letters = ascii_uppercase[: len(options)]
    if len(answer) != 1 or answer not in letters:
        raise BadRecordError(
            f"{field}: {answer!r} is not the letter of an option; allowed: {letters}"
        )
    return letters.index(answer)


def id_of(record: Mapping[str, Any]) -> str:
    """A record's `id`, a number or a text. Raises `BadRecordError`."""
    value = record.get("id")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text_of(record, "id")


def _files(record: Mapping[str, Any], kind: MediumKind) -> tuple[str, ...]:
    """The paths that `video` or `videos` (`image` or `images`) gives, in its order."""
    several = f"{kind}s"
    if kind in record and several in record:
        raise BadRecordError(f"{several}: {kind} is given too; put every file into {several}")
    if kind in record:
        return (inside(kind, text_of(record, kind)),)
    if several not in record:
        return ()
    names = texts_of(record, several)
    if not names:
        raise BadRecordError(f"{several}: the list is empty; leave the key out where there is none")
    return tuple(inside(several, name) for name in names)


def _in_order(
    turns: tuple[Turn, ...], files: Mapping[MediumKind, tuple[str, ...]]
) -> tuple[Medium, ...]:
    """The files in the order of their marks in the text; there are as many of each kind."""
    kinds: dict[str, MediumKind] = {mark: kind for kind, mark in MARKS.items()}
    coming = {kind: iter(names) for kind, names in files.items()}
    shown: list[MediumKind] = [kinds[mark] for _, text in turns for mark in _MARK.findall(text)]
    return tuple(Medium(kind, next(coming[kind])) for kind in shown)


def _turns(record: Mapping[str, Any]) -> tuple[Turn, ...]:
    key, role_key, text_key = "conversations", "from", "value"
    if "messages" in record and key not in record:
        key, role_key, text_key = "messages", "role", "content"
    turns = record.get(key)
    if not isinstance(turns, list) or not turns:
        raise BadRecordError(f"{key}: a list of turns is needed, got {value_shown(record, key)}")
    read: list[Turn] = []
    asked = 0  # where the first question stands: behind a system turn, if there is one
    for number, turn in enumerate(turns):
        where = f"{key}[{number}]"
        if not isinstance(turn, dict):
            raise BadRecordError(f"{where}: an object is needed, got {type(turn).__name__}")
        role = ROLES.get(str(turn.get(role_key)))
        if role is None:
            raise BadRecordError(
                f"{where}.{role_key}: unknown {turn.get(role_key)!r}; allowed: {', '.join(ROLES)}"
            )
        if number == 0 and role == "system":
            asked = 1
        elif role != ("user", "assistant")[(number - asked) % 2]:
            raise BadRecordError(
                f"{where}.{role_key}: turns alternate human and gpt (user, assistant), human "
                "first, behind at most one of system"
            )
        said = text_of(turn, text_key, where=f"{where}.")
        read.append((role, _whole(f"{where}.{text_key}", said)))
    if len(read) == asked or (len(read) - asked) % 2:
        raise BadRecordError(
            f"{key}: the last turn must be gpt's (assistant's); there is no answer to learn"
        )
    return tuple(read)


def _check_marks(turns: tuple[Turn, ...], files: Mapping[MediumKind, tuple[str, ...]]) -> None:
    """One mark per media file, in human text, of the file's kind."""
    for kind, mark in MARKS.items():
        wanted = len(files[kind])
        found = sum(text.count(mark) for role, text in turns if role == "user")
        if found != wanted:
            raise BadRecordError(
                f"{mark} stands {found} times in human text, but {wanted} such media are given; "
                "every media file needs exactly one mark"
            )
        if any(mark in text for role, text in turns if role == "assistant"):
            raise BadRecordError(f"{mark} stands in an answer; marks belong to human text")
        if any(mark in text for role, text in turns if role == "system"):
            raise BadRecordError(f"{mark} stands in a system turn; marks belong to human text")


def _whole(field: str, text: str) -> str:
    """A text that holds no half of a character. Raises `BadRecordError`."""
    if not text.isascii() and (half := _HALF.search(text)):
        raise BadRecordError(
            f"{field}: character {half.start() + 1}, {half[0]!r}, is half of one (a lone "
            "surrogate), as where a text was cut inside an emoji; write it whole or leave it out"
        )
    return text


def text_of(record: Mapping[str, Any], key: str, *, where: str = "") -> str:
    """The text at `key`, not blank. Raises `BadRecordError`."""
    value = record.get(key)
    if not isinstance(value, str) or not value.strip():
        raise BadRecordError(f"{where}{key}: a text is needed, got {value_shown(record, key)}")
    return value


def label_of(record: Mapping[str, Any], key: str) -> str:
    """The text or number at `key`, as text; "" where there is none. Raises `BadRecordError`."""
    value = record.get(key)
    if value is None:
        return ""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        raise BadRecordError(f"{key}: a text or a number, got {value_shown(record, key)}")
    return str(value).strip()


def texts_of(record: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list of texts at `key`, none blank. Raises `BadRecordError`."""
    value = record.get(key)
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise BadRecordError(f"{key}: a list of texts is needed, got {value_shown(record, key)}")
    return tuple(value)


def value_shown(record: Mapping[str, Any], key: str) -> str:
    """What stands at `key`, as an error tells it."""
    return repr(record[key])[:80] if key in record else "nothing (the key is missing)"


def inside(key: str, name: str) -> str:
    """A path below the media root, as it is. Raises `BadRecordError`."""
    # Splitting a path takes longer than the rest of a line's checks; hardly any needs it.
    if name.startswith("/") or (".." in name and ".." in PurePosixPath(name).parts):
        raise BadRecordError(f"{key}: {name!r} must be relative to the media root, and inside it")
    return name
