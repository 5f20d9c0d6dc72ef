"""MLVU: `json/1_plotQA.json` ... `json/7_topic_reasoning.json`, one file a task, or their folder.

A list of questions: `video`, `duration` (seconds), `question`, `candidates`, `answer` (the text of
a candidate), `question_type`; in the test set also `question_id`, and six candidates. Videos:
`video/<name of the file>/<video>`, in the test set `video/<video>`. What is written and judged
(`8_sub_scene.json`, `9_summary.json`) is no multiple choice; a folder is read without it.

The published files have faults. Blank candidates are not listed: they have no likelihood, and
nobody can say them. Where the answer stands twice among the candidates (five questions) the last
of them is right, as in choice_bench.py, which sets the answer's place while it goes through them.
Five of the 2,175 questions cannot be answered and are left out and told: the answer of two is no
candidate (there they count as wrong), of two a blank one, and one is blank itself.

Category: `question_type`, so that the mean of the categories is the published M-Avg. No duration
groups are published.

Source: video_chat/choice_bench.py and Evaluation_Test/README.md of github.com/JUNJIE99/MLVU; files
and folders: the card of huggingface.co/datasets/MLVU/MVLU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files.fields import stem_of
from apollo_core.benchmark_files.rows import Placed, Row, rows_of
from apollo_core.media.manifest_record import (
    BadRecordError,
    Item,
    UnanswerableError,
    checked_item,
    label_of,
    text_of,
    value_shown,
)

FIELDS = frozenset({"video", "question", "candidates", "answer", "question_type"})
OPEN_ENDED = frozenset({"8_sub_scene.json", "9_summary.json", "test_generation_tasks.json"})


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question with its place. Raises as `rows_of`."""
    for number, placed in enumerate(rows_of(path), start=1):
        yield placed[0], partial(_item, placed, number, path.stem)


def _item(placed: Placed, number: int, task: str) -> Item:
    row: Row = placed[1]()
    if isinstance(row.get("question"), str) and not row["question"].strip():
        raise UnanswerableError("question: it is blank")
    options = _candidates(row)
    own = label_of(row, "question_id")  # in the test set, whose videos lie in one folder
    video = stem_of(row, "video")
    return checked_item(
        id=own or f"{task}_{number}",
        video=f"video/{video}" if own else f"video/{task}/{video}",
        question=text_of(row, "question"),
        options=options,
        answer_index=_answer(row, options),
        category=text_of(row, "question_type"),
    )


def _candidates(row: Row) -> tuple[str, ...]:
    """Those that are not blank."""
    value = row.get("candidates")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        shown = value_shown(row, "candidates")
        raise BadRecordError(f"candidates: a list of texts is needed, got {shown}")
    written = tuple(each for each in value if each.strip())
    if len(written) < 2:
        raise UnanswerableError(f"candidates: two that are not blank are needed, got {value}")
    return written


def _answer(row: Row, options: tuple[str, ...]) -> int:
    """The last place of the answer's text."""
    answer = row.get("answer")
    if not isinstance(answer, str):
        raise BadRecordError(f"answer: a text is needed, got {value_shown(row, 'answer')}")
    if not answer.strip():
        raise UnanswerableError("answer: it is blank")
    places = [at for at, option in enumerate(options) if option.strip() == answer.strip()]
    if not places:
        raise UnanswerableError(f"answer: {answer!r} is none of the options {list(options)}")
    return places[-1]
