"""MLVU: `json/1_plotQA.json` ... `json/7_topic_reasoning.json`, one file a task, or their folder.

A list of questions: `video`, `duration` (seconds), `question`, `candidates`, `answer` (the text of
a candidate), `question_type`; in the test set also `question_id`, and six candidates. Videos:
`video/<name of the file>/<video>`, in the test set `video/<video>`. What is written and judged
(`8_sub_scene.json`, `9_summary.json`) is no multiple choice; a folder is read without it.

Category: `question_type`, so that the mean of the categories is the published M-Avg. No duration
groups are published.

Source: video_chat/choice_bench.py and Evaluation_Test/README.md of github.com/JUNJIE99/MLVU; files
and folders: the card of huggingface.co/datasets/MLVU/MVLU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files.fields import place_of_text, stem_of
from apollo_core.benchmark_files.rows import Placed, Row, rows_of
from apollo_core.media.manifest_record import Item, checked_item, label_of, text_of, texts_of

FIELDS = frozenset({"video", "question", "candidates", "answer", "question_type"})
OPEN_ENDED = frozenset({"8_sub_scene.json", "9_summary.json", "test_generation_tasks.json"})


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question with its place. Raises as `rows_of`."""
    for number, placed in enumerate(rows_of(path), start=1):
        yield placed[0], partial(_item, placed, number, path.stem)


def _item(placed: Placed, number: int, task: str) -> Item:
    row: Row = placed[1]()
    options = texts_of(row, "candidates")
    own = label_of(row, "question_id")  # in the test set, whose videos lie in one folder
    video = stem_of(row, "video")
    return checked_item(
        id=own or f"{task}_{number}",
        video=f"video/{video}" if own else f"video/{task}/{video}",
        question=text_of(row, "question"),
        options=options,
        answer_index=place_of_text(text_of(row, "answer"), options),
        category=text_of(row, "question_type"),
    )
