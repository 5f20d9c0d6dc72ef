"""NExT-QA, multiple choice: `val.csv` or `test.csv` (`dataset/nextqa`, `test-data-nextqa`).

Columns: `video`, `frame_count`, `width`, `height`, `question`, `answer` (0 to 4), `qid`, `type`,
`a0` ... `a4`. Videos: `videos/<video>.mp4`. (VidOR's own folders have these files under
`<folder>/<video>.mp4`, by the repository's `map_vid_vidorID.json`; put them, or links to them,
into one.)

Category: what the first letter of `type` says, as the paper groups them: causal (CW, CH), temporal
(TN, TC, TP), descriptive (DC, DL, DO); the published overall is the share of all questions. Task
type: `type`.

Source: dataset/nextqa/val.csv and eval_mc.py of github.com/doc-doc/NExT-QA.
"""

from __future__ import annotations

from apollo_core.benchmark_files.fields import place_of, stem_of
from apollo_core.benchmark_files.rows import Row
from apollo_core.media.manifest_record import BadRecordError, Item, checked_item, text_of

FIELDS = frozenset({"video", "question", "answer", "qid", "type", "a0", "a4"})
_OPTIONS = tuple(f"a{number}" for number in range(5))
_GROUPS = {"C": "causal", "T": "temporal", "D": "descriptive"}


def item(row: Row) -> Item:
    """One question. Raises `BadRecordError`."""
    options = tuple(text_of(row, name) for name in _OPTIONS)
    kind, video = text_of(row, "type"), stem_of(row, "video")
    group = _GROUPS.get(kind[0])
    if group is None:
        raise BadRecordError(f"type: {kind!r} begins with none of {', '.join(_GROUPS)}")
    return checked_item(
        id=f"{video}_{stem_of(row, 'qid')}",
        video=f"videos/{video}.mp4",
        question=text_of(row, "question"),
        options=options,
        answer_index=place_of(row, "answer", options),
        category=group,
        task_type=kind,
    )
