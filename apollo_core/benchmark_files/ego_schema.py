"""EgoSchema: `questions.json` with `subset_answers.json` beside it.

`questions.json` is a list of `q_uid`, `google_drive_id`, `question`, `option 0` ... `option 4`;
`subset_answers.json` an object q_uid -> place of the right option, of the 500 questions whose
answers are public. Only these are asked. Videos: `videos/<q_uid>.mp4`, three minutes each.

Category: one, `all`. There are no duration groups and no kinds of questions.

Source: questions.json (early versions lack `question`) and subset_answers.json of
github.com/egoschema/EgoSchema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files.fields import place_of, stem_of
from apollo_core.benchmark_files.rows import KEY, VALUE, Row, rows_of
from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, Item, checked_item, text_of

FIELDS = frozenset({"q_uid", "option 0", "option 1"})
ANSWERS = "subset_answers.json"
_OPTIONS = tuple(f"option {number}" for number in range(5))


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question whose answer is public, with its place. Raises as `rows_of`."""
    answers = _answers(path.with_name(ANSWERS))
    for place, load in rows_of(path):
        try:
            row = load()
            name = stem_of(row, "q_uid")
        except BadRecordError as error:
            yield place, partial(_refuse, error)
            continue
        if name in answers:
            yield place, partial(_item, row, name, answers)


def _answers(path: Path) -> Row:
    if not path.is_file():
        raise DataMissing(
            f"{path}: EgoSchema's public answers are needed beside its questions, under this name"
        )
    rows = [load() for _, load in rows_of(path)]
    if any(KEY not in row for row in rows):
        raise BadInput(f"{path}: an object q_uid -> place of the right option is needed")
    return {row[KEY]: row[VALUE] for row in rows}


def _refuse(error: BadRecordError) -> Item:
    raise error


def _item(row: Row, name: str, answers: Row) -> Item:
    options = tuple(text_of(row, key) for key in _OPTIONS)
    try:
        place = place_of(answers, name, options)
    except BadRecordError as error:
        raise BadRecordError(f"{ANSWERS}: {error}") from None
    return checked_item(
        id=name,
        video=f"videos/{name}.mp4",
        question=text_of(row, "question"),
        options=options,
        answer_index=place,
        category="all",
    )
