"""ApolloBench-style JSON: a list of questions, or JSON lines.

`id` or `question_id` (or neither: numbered), `video` or `video_path` or `video_name`, `question`,
`options` or `candidates` (a list, with or without "A. " before each; or an object letter ->
text), `answer` (a letter, alone or with its option, or an option's text), `category` or
`question_type`; where there is one, `duration_group` or `duration` (short, medium, ...) and
`task_type` or `source`. Videos: as the file has them; without an ending, `.mp4`.

Category: `category`; the paper's overall is the mean of its five (temporal OCR, egocentric,
spatial, perception, reasoning).

Source: arXiv 2412.10360, section 2.2, for what an item has. The file that its authors announced
(huggingface.co/datasets/Apollo-LMMs/ApolloBench) was not to be had when this was written, hence the
several names for one thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from string import ascii_uppercase

from apollo_core.benchmark_files.fields import place_of_text, without_letters
from apollo_core.benchmark_files.rows import Placed, Row, rows_of
from apollo_core.media.manifest_record import (
    BadRecordError,
    Item,
    checked_item,
    label_of,
    letter_place,
    text_of,
    texts_of,
)

_IDS = ("id", "question_id")
_VIDEOS = ("video", "video_path", "video_name")
_OPTIONS = ("options", "candidates")
_CATEGORIES = ("category", "question_type")
_GROUPS = ("duration_group", "duration")
_TASKS = ("task_type", "source")


def is_style(row: Row) -> bool:
    """Whether a row has one name of each thing that an item needs."""
    needed = (_VIDEOS, _OPTIONS, _CATEGORIES, ("question",), ("answer",))
    return all(any(name in row for name in names) for names in needed)


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question with its place. Raises as `rows_of`."""
    for number, placed in enumerate(rows_of(path), start=1):
        yield placed[0], partial(_item, placed, number)


def _item(placed: Placed, number: int) -> Item:
    row = placed[1]()
    options = _options(row)
    video = PurePosixPath(text_of(row, _name(row, _VIDEOS)))
    return checked_item(
        id=_label(row, _IDS) or str(number),
        video=str(video if video.suffix else video.with_suffix(".mp4")),
        question=text_of(row, "question"),
        options=options,
        answer_index=_answer(text_of(row, "answer").strip(), options),
        category=text_of(row, _name(row, _CATEGORIES)),
        duration_group=_group(row),
        task_type=_label(row, _TASKS),
    )


def _name(row: Row, names: tuple[str, ...]) -> str:
    found = [name for name in names if name in row]
    if not found:
        raise BadRecordError(f"{' or '.join(names)}: nothing (the key is missing)")
    return found[0]


def _label(row: Row, names: tuple[str, ...]) -> str:
    return next((label_of(row, name) for name in names if name in row), "")


def _group(row: Row) -> str:
    """A group's name; a length in seconds is none."""
    label = _label(row, _GROUPS)
    is_length = "duration_group" not in row and isinstance(row.get("duration"), (int, float))
    return "" if is_length else label


def _options(row: Row) -> tuple[str, ...]:
    name = _name(row, _OPTIONS)
    given = row[name]
    if not isinstance(given, dict):
        return without_letters(texts_of(row, name))
    letters = ascii_uppercase[: len(given)]
    if "".join(map(str, given)) != letters:
        raise BadRecordError(f"{name}: letters {', '.join(letters)} are needed, got {[*given]}")
    return tuple(text_of(given, letter) for letter in letters)


def _answer(answer: str, options: tuple[str, ...]) -> int:
    """By its text if an option is that; else by its letter, alone or before the option's text."""
    if options.count(answer) == 1:
        return place_of_text(answer, options)
    letter, mark, text = answer[:1], answer[1:2], answer[2:].strip()
    if mark in (".", ")", ":") and text:
        place = letter_place(letter, options)
        if options[place].strip() == text:
            return place
        raise BadRecordError(f"answer: {answer!r}, but option {letter} is {options[place]!r}")
    if len(answer.rstrip(".):")) == 1:
        return letter_place(letter, options)
    return place_of_text(answer, options)
