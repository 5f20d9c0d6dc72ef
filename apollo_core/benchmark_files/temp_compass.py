"""TempCompass: `questions/multi-choice.json`, `yes_no.json`, `caption_matching.json`, their folder.

An object of objects: video -> dimension (action, direction, speed, order, attribute_change) ->
list of `question` and `answer`. What is asked lies in the question's own lines:

    multi-choice       "Which way?\\nA. left\\nB. right", answer "B. right"
    yes_no             "Is it moving?", answer "yes" or "no"
    caption_matching   "Which fits?\\nCaption A: ...\\nCaption B: ...", answer "Caption B: ..."
                       (or "Sentence A/B", "Option 1/2")

As Parquet rows too: `video_id`, `question`, `answer`, `dim`. Videos: `videos/<video>.mp4`.
`captioning.json` is written and judged; a folder is read without it.

Category: the dimension. Task type: one of the three above.

Source: questions/ of github.com/llyx97/TempCompass; lmms_eval/tasks/tempcompass/utils.py of
EvolvingLMMs-Lab/lmms-eval for the Parquet rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from apollo_core.benchmark_files.fields import place_of_text, stem_of
from apollo_core.benchmark_files.rows import KEY, VALUE, Row, rows_of
from apollo_core.media.manifest_record import BadRecordError, Item, checked_item, text_of

FIELDS = frozenset({"video_id", "question", "answer", "dim"})
OPEN_ENDED = frozenset({"captioning.json"})
YES_NO = ("yes", "no")
# Two of the published questions have no space: "C.Both events happen at the same time".
_OPTION = re.compile(r"[A-Z]\.\s*(.*)")
_CAPTION = re.compile(r"(?:Caption|Sentence|Option) (?:[A-Z]|\d):\s*(.*)")


def questions(path: Path) -> Iterator[tuple[str, Callable[[], Item]]]:
    """Every question with its place. Raises as `rows_of`."""
    for number, (place, load) in enumerate(rows_of(path), start=1):
        try:
            row = load()
            if KEY not in row:
                yield place, partial(_item, row, number)
                continue
            for dimension, at, asked in _flat(row):
                where = f"{place}, {dimension} {at}"
                whole = {**asked, "video_id": row[KEY], "dim": dimension}
                yield where, partial(_item, whole, at)
        except BadRecordError as error:
            yield place, partial(_refuse, error)


def _flat(row: Row) -> Iterator[tuple[str, int, Row]]:
    dimensions = row[VALUE]
    if not isinstance(dimensions, dict):
        raise BadRecordError(f"dimensions with questions are needed, got {dimensions!r:.80}")
    for dimension, asked in dimensions.items():
        if not isinstance(asked, list) or not all(isinstance(one, dict) for one in asked):
            raise BadRecordError(f"{dimension}: a list of questions is needed, got {asked!r:.80}")
        yield from ((dimension, number, one) for number, one in enumerate(asked, start=1))


def _refuse(error: BadRecordError) -> Item:
    raise error


def _item(row: Row, number: int) -> Item:
    video, dimension = stem_of(row, "video_id"), text_of(row, "dim")
    written, answer = text_of(row, "question"), text_of(row, "answer")
    question, options, task, right = _asked(written, answer)
    return checked_item(
        id=f"{video}_{dimension}_{task}_{number}",
        video=f"videos/{video}.mp4",
        question=question,
        options=options,
        answer_index=place_of_text(right, options),
        category=dimension,
        task_type=task,
    )


def _asked(written: str, answer: str) -> tuple[str, tuple[str, ...], str, str]:
    """The question alone, its options, the task, and the right option as the options have it."""
    first, *rest = [line.strip() for line in written.splitlines() if line.strip()]
    if not rest:
        return first, YES_NO, "yes_no", answer.strip().rstrip(".").lower()
    for task, pattern in (("multi-choice", _OPTION), ("caption_matching", _CAPTION)):
        found = [pattern.fullmatch(line) for line in rest]
        if all(found):
            options = [each[0] for each in found if each is not None]
            place = place_of_text(answer, options)
            texts = tuple(each[1] for each in found if each is not None)
            if len(set(texts)) < len(texts):
                raise BadRecordError(f"question: two options are the same text: {list(texts)}")
            return first, texts, task, texts[place]
    raise BadRecordError(
        f"question: behind its first line only options (`A. ...` or `Caption A: ...`), got {rest}"
    )
