"""Video-MME: `videomme/test-00000-of-00001.parquet`, or the same rows as JSON.

One row a question: `video_id`, `duration` (short, medium, long), `domain`, `sub_category`, `url`,
`videoID`, `question_id`, `task_type`, `question`, `options` ("A. ...", four), `answer` (a letter).
Videos: `data/<videoID>.mp4`.

Category: `duration`. There are 900 questions of each, so that the mean of the categories is the
published overall accuracy. Task type: `task_type` (twelve). `domain` and `sub_category` are left.

Source: the card of huggingface.co/datasets/lmms-lab/Video-MME; where videos lie and which column
is which: lmms_eval/tasks/videomme/utils.py of EvolvingLMMs-Lab/lmms-eval.
"""

from __future__ import annotations

from apollo_core.benchmark_files.fields import stem_of, without_letters
from apollo_core.benchmark_files.rows import Row
from apollo_core.media.manifest_record import (
    Item,
    checked_item,
    letter_place,
    text_of,
    texts_of,
)

FIELDS = frozenset({"videoID", "question_id", "task_type", "duration", "options", "answer"})


def item(row: Row) -> Item:
    """One question. Raises `BadRecordError`."""
    options = without_letters(texts_of(row, "options"))
    duration = text_of(row, "duration")
    return checked_item(
        id=text_of(row, "question_id"),
        video=f"data/{stem_of(row, 'videoID')}.mp4",
        question=text_of(row, "question"),
        options=options,
        answer_index=letter_place(text_of(row, "answer"), options),
        category=duration,
        duration_group=duration,
        task_type=text_of(row, "task_type"),
    )
