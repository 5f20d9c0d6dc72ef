"""LongVideoBench: `lvb_val.json`.

A list of questions: `id`, `video_id`, `video_path`, `subtitle_path`, `question`, `candidates`,
`correct_choice` (from 0; absent in the test set), `question_category` (S2E, T3O, ...: 17),
`topic_category`, `level`, `duration`, `duration_group` (15, 60, 600 or 3600 seconds),
`starting_timestamp_for_subtitles`. In Parquet: `option0` ... `option4` instead of `candidates`,
"N/A" for what is not there. Videos: `videos/<video_path>`. Subtitles are not shown: questions that
refer to them are asked all the same, as by models that read none.

Category: `question_category`; the published overall is the share of all questions. Duration group:
`duration_group`. Task type: `level` (perception, relation).

Source: longvideobench/longvideobench_dataset.py of github.com/longvideobench/LongVideoBench; the
card of huggingface.co/datasets/longvideobench/LongVideoBench-Meta.
"""

from __future__ import annotations

from apollo_core.benchmark_files.fields import place_of
from apollo_core.benchmark_files.rows import Row
from apollo_core.media.manifest_record import (
    BadRecordError,
    Item,
    checked_item,
    label_of,
    text_of,
    texts_of,
)

FIELDS = frozenset({"video_path", "subtitle_path", "question_category", "duration_group"})
_COLUMNS = tuple(f"option{number}" for number in range(5))
_NONE = "N/A"


def item(row: Row) -> Item:
    """One question. Raises `BadRecordError`."""
    if "correct_choice" not in row:
        raise BadRecordError("correct_choice is missing: answers of the test set are not public")
    options = _options(row)
    return checked_item(
        id=text_of(row, "id"),
        video=f"videos/{text_of(row, 'video_path')}",
        question=text_of(row, "question"),
        options=options,
        answer_index=place_of(row, "correct_choice", options),
        category=text_of(row, "question_category"),
        duration_group=label_of(row, "duration_group"),
        task_type=label_of(row, "level"),
    )


def _options(row: Row) -> tuple[str, ...]:
    if "candidates" in row:
        return texts_of(row, "candidates")
    there = [name for name in _COLUMNS if row.get(name) not in (None, "", _NONE)]
    return tuple(text_of(row, name) for name in there)
