"""Perception Test, multiple-choice video QA: `mc_question_valid.json`, or `all_valid.json`.

An object: video -> `metadata` and `mc_question`, a list of `id`, `question`, `options` (three),
`answer_id` (from 0; absent in the test set), `area` (memory, abstraction, physics, semantics),
`reasoning` (descriptive, explanatory, predictive, counterfactual), `tag` (a list). Videos:
`videos/<video>.mp4`. A video without such questions is passed over.

Category: `area`; the published top-1 is the share of all questions. Task type: `reasoning`. Tags
are left: a question has several.

Source: README.md of github.com/google-deepmind/perception_test, "Multiple-choice video
question-answers".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files.fields import place_of
from apollo_core.benchmark_files.rows import KEY, VALUE, Row, rows_of
from apollo_core.media.manifest_record import (
    BadRecordError,
    Item,
    checked_item,
    id_of,
    label_of,
    text_of,
    texts_of,
)

FIELD = "mc_question"


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question with its place. Raises as `rows_of`."""
    for place, load in rows_of(path):
        try:
            row = load()
            for number, asked in enumerate(_asked(row), start=1):
                yield f"{place}, {FIELD} {number}", partial(_item, asked, row)
        except BadRecordError as error:
            yield place, partial(_refuse, error)


def _asked(row: Row) -> list[object]:
    if KEY not in row or not isinstance(row[VALUE], dict):
        raise BadRecordError("an object of videos, each with its annotations, is needed")
    asked = row[VALUE].get(FIELD) or []
    if not isinstance(asked, list):
        raise BadRecordError(f"{FIELD}: a list is needed, got {type(asked).__name__}")
    return asked


def _refuse(error: BadRecordError) -> Item:
    raise error


def _item(asked: object, row: Row) -> Item:
    if not isinstance(asked, dict):
        raise BadRecordError(f"a JSON object is needed, got {type(asked).__name__}")
    if "answer_id" not in asked:
        raise BadRecordError("answer_id is missing: answers of the test set are not public")
    options = texts_of(asked, "options")
    return checked_item(
        id=f"{row[KEY]}_{id_of(asked)}",
        video=f"videos/{row[KEY]}.mp4",
        question=text_of(asked, "question"),
        options=options,
        answer_index=place_of(asked, "answer_id", options),
        category=text_of(asked, "area"),
        task_type=label_of(asked, "reasoning"),
    )
