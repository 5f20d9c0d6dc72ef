"""Every format of benchmark files that is read, and which one a file has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files import (
    apollo_bench,
    ego_schema,
    long_video_bench,
    mlvu,
    next_qa,
    perception_test,
    temp_compass,
    video_mme,
)
from apollo_core.benchmark_files.fields import has_letters
from apollo_core.benchmark_files.rows import KEY, SUFFIXES, VALUE, Placed, Row, rows_of
from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, Item, item_of
from apollo_core.stages.identity import BenchmarkFormat

# Where a question stands in its file, and what makes the item or raises BadRecordError.
Question = tuple[str, Callable[[], Item]]

# The project's own (docs/data.md): also what a file is taken for that looks like none of these,
# so that it is told what is missing for that one.
OWN: BenchmarkFormat = "items"
_OWN_FIELDS = frozenset({"id", "video", "question", "options", "answer", "category"})


@dataclass(frozen=True)
class FileFormat:
    """One format.

    Attributes:
        questions: every question of a file.
        is_row: whether a file's first row is one of this format.
        needs: a file that is read beside the questions.
        not_read: files of a benchmark's folder that hold no multiple choice.
    """

    questions: Callable[[Path], Iterator[Question]]
    is_row: Callable[[Row], bool]
    needs: str | None = None
    not_read: frozenset[str] = field(default=frozenset())


def _by_row(item: Callable[[Row], Item]) -> Callable[[Path], Iterator[Question]]:
    def questions(path: Path) -> Iterator[Question]:
        for place, load in rows_of(path):
            yield place, partial(_made, item, load)

    return questions


def _made(item: Callable[[Row], Item], load: Callable[[], Row]) -> Item:
    return item(load())


def _has(fields: frozenset[str]) -> Callable[[Row], bool]:
    return lambda row: fields <= row.keys()


def _is_own(row: Row) -> bool:
    """Our own options have no letters: the prompt puts its own, and a second would stand there."""
    return row.keys() >= _OWN_FIELDS and not has_letters(row["options"])


def _is_perception_test(row: Row) -> bool:
    return KEY in row and isinstance(row[VALUE], dict) and perception_test.FIELD in row[VALUE]


def _is_temp_compass(row: Row) -> bool:
    if row.keys() >= temp_compass.FIELDS:
        return True
    inner = row.get(VALUE) if KEY in row else None
    return isinstance(inner, dict) and all(isinstance(asked, list) for asked in inner.values())


# Looked through in this order: the more particular first.
FORMATS: dict[BenchmarkFormat, FileFormat] = {
    "items": FileFormat(_by_row(item_of), _is_own),
    "video_mme": FileFormat(_by_row(video_mme.item), _has(video_mme.FIELDS)),
    "mlvu": FileFormat(mlvu.questions, _has(mlvu.FIELDS), not_read=mlvu.OPEN_ENDED),
    "long_video_bench": FileFormat(_by_row(long_video_bench.item), _has(long_video_bench.FIELDS)),
    "perception_test": FileFormat(perception_test.questions, _is_perception_test),
    "temp_compass": FileFormat(
        temp_compass.questions, _is_temp_compass, not_read=temp_compass.OPEN_ENDED
    ),
    "next_qa": FileFormat(_by_row(next_qa.item), _has(next_qa.FIELDS)),
    "ego_schema": FileFormat(
        ego_schema.questions,
        _has(ego_schema.FIELDS),
        needs=ego_schema.ANSWERS,
        not_read=frozenset({ego_schema.ANSWERS}),
    ),
    "apollo_bench": FileFormat(apollo_bench.questions, apollo_bench.is_style),
}


def format_of(path: Path) -> BenchmarkFormat:
    """The format that a file or folder looks like by its first row; `items` where by none.

    Raises:
        DataMissing, BadInput: as `rows_of`.
    """
    for file in _in_folder(path, frozenset()) if path.is_dir() else (path,):
        row = _first(rows_of(file))
        for name, form in FORMATS.items():
            if file.name not in form.not_read and form.is_row(row):
                return name
    return OWN


def files_of(path: Path, form: BenchmarkFormat) -> tuple[Path, ...]:
    """The files with questions: `path`, or those of the folder that it is, by name.

    Raises:
        DataMissing: there is no such file, or none in the folder.
    """
    if not path.is_dir():
        return (path,)
    found = _in_folder(path, FORMATS[form].not_read)
    if not found:
        raise DataMissing(f"{path}: no file in this folder ends in {', '.join(SUFFIXES)}")
    return found


def content_of(path: Path, form: BenchmarkFormat) -> tuple[Path, ...]:
    """Every file that the questions and answers depend on."""
    files = files_of(path, form)
    needs = FORMATS[form].needs
    return files if needs is None else (*files, *{file.with_name(needs) for file in files})


def _in_folder(path: Path, but: frozenset[str]) -> tuple[Path, ...]:
    files = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
    return tuple(sorted(file for file in files if file.name not in but))


def _first(rows: Iterator[Placed]) -> Row:
    try:
        return next((load() for _, load in rows), {})
    except BadRecordError:  # told, with its place, by the reader proper
        return {}


def questions_of(path: Path, form: BenchmarkFormat) -> Iterator[tuple[Path, Question]]:
    """Every question of a file or folder, with its file.

    Raises:
        DataMissing, BadInput: as `rows_of`.
    """
    if form not in FORMATS:
        raise BadInput(f"unknown format {form!r} of benchmarks; known: {', '.join(FORMATS)}")
    for file in files_of(path, form):
        for question in FORMATS[form].questions(file):
            yield file, question
