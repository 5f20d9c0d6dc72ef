"""Small files in the very layouts that benchmarks are published in; what they ask is made up."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

VIDEO_MME: list[dict[str, Any]] = [
    {
        "video_id": "001",
        "duration": duration,
        "domain": "Knowledge",
        "sub_category": "Astronomy",
        "url": "https://example.org/watch?v=aQ-_9",
        "videoID": video,
        "question_id": f"{number:03}-1",
        "task_type": task,
        "question": "Which kite lands last?",
        "options": ["A. The red one.", "B. The blue one.", "C. Both at once.", "D. Neither."],
        "answer": answer,
    }
    for number, (video, duration, task, answer) in enumerate(
        [("aQ-_9", "short", "Temporal Reasoning", "B"), ("bb8", "long", "OCR Problems", "D")], 1
    )
]
MLVU: list[dict[str, Any]] = [
    {
        "video": "kites_1.mp4",
        "duration": 601.5,
        "question": "How many kites are flown?",
        "candidates": ["2", "3", "5", "8"],
        "answer": "5",
        "question_type": "count",
    }
]
# In the form of faulty rows of the published files: blank candidates, an answer that is there
# twice, and last the three that have none.
MLVU_FAULTY: list[dict[str, Any]] = [
    {**MLVU[0], "candidates": ["", "There is a kite", "There is no kite", ""],
     "answer": "There is no kite"},
    {**MLVU[0], "candidates": ["6", "3", "3", "8"], "answer": "3"},
    {**MLVU[0], "candidates": ["Fishing", "Catching the kite"], "answer": "Catching a red kite"},
    {**MLVU[0], "candidates": ["5", "", "8"], "answer": ""},
    {**MLVU[0], "question": "", "candidates": ["", "", "", ""], "answer": ""},
]  # fmt: skip
MLVU_TEST: list[dict[str, Any]] = [
    {**MLVU[0], "candidates": ["1", "2", "3", "5", "8", "9"], "question_id": "AC_0"}
]
LONG_VIDEO_BENCH: list[dict[str, Any]] = [
    {
        "video_id": "zz11",
        "question": "When the bell rings, what does the woman in green hold?",
        "question_wo_referring_query": "What does the woman hold?",
        "candidates": ["a kite", "a rope", "a bell", "a map", "nothing"],
        "correct_choice": 3,
        "position": [120, 240],
        "topic_category": "LV-Lifestyle-Vlogs",
        "question_category": "E2O",
        "level": "L1-Perception",
        "id": "zz11_0",
        "video_path": "zz11.mp4",
        "subtitle_path": "zz11_en.json",
        "duration_group": 600,
        "starting_timestamp_for_subtitles": 0,
        "duration": 412.7,
        "view_count": 9,
    }
]
TEMP_COMPASS: dict[str, dict[str, Any]] = {
    "multi-choice": {
        "1015": {
            "action": [
                {
                    "question": "What is the dog doing?\nA. digging\nB. swimming\nC. barking",
                    "answer": "B. swimming",
                }
            ]
        },
        "1015_reverse": {
            "direction": [
                {"question": "Which way is it?\nA. left\nB. right", "answer": "A. left"},
                # As two questions are published: no space behind the last letter.
                {"question": "And it?\nA. up\nB. down\nC.Both at once", "answer": "B. down"},
            ]
        },
    },
    "yes_no": {"1015": {"action": [{"question": "Is the dog swimming?", "answer": "yes"}]}},
    "caption_matching": {
        "1015": {
            "action": [
                {
                    "question": "Which fits?\nCaption A: A dog digs.\nCaption B: A dog swims.",
                    "answer": "Caption B: A dog swims.",
                },
                {
                    "question": "Which one fits?\nOption 1: A dog swims.\nOption 2: A dog digs.",
                    "answer": "Option 1: A dog swims.",
                },
            ]
        }
    },
}
NEXT_QA: list[dict[str, Any]] = [
    {
        "video": "4010",
        "frame_count": 369,
        "width": 640,
        "height": 480,
        "question": "why did the boy, at last, let go of the string",
        "answer": answer,
        "qid": number,
        "type": kind,
        "a0": "wind",
        "a1": "to rest",
        "a2": "to run",
        "a3": "lost it",
        "a4": "a dog came",
    }
    for number, (kind, answer) in enumerate([("CW", 4), ("TN", 0), ("DC", 2)])
]
PERCEPTION_TEST: dict[str, Any] = {
    "video_7": {
        "metadata": {"split": "valid", "video_id": "video_7", "num_frames": 300},
        "mc_question": [
            {
                "id": 0,
                "question": "Is the camera moving?",
                "options": ["I don't know", "moving", "static"],
                "answer_id": 2,
                "area": "physics",
                "reasoning": "descriptive",
                "tag": ["motion", "camera"],
            },
            {
                "id": 3,
                "question": "Where is the cup?",
                "options": ["left", "right", "gone"],
                "answer_id": 0,
                "area": "memory",
                "reasoning": "explanatory",
                "tag": ["object permanence"],
            },
        ],
    },
    "video_8": {"metadata": {"split": "valid", "video_id": "video_8"}, "mc_question": []},
}
EGO_SCHEMA: list[dict[str, Any]] = [
    {
        "q_uid": uid,
        "google_drive_id": "15yG",
        "question": "What is C making?",
        **{f"option {number}": f"thing {number}" for number in range(5)},
    }
    for uid in ("0011-aa", "0022-bb")
]
APOLLO_BENCH: list[dict[str, Any]] = [
    {
        "question_id": "ab1",
        "video": "egoschema/x1",
        "question": "What is picked up?",
        "options": {"A": "a cup", "B": "a kite"},
        "answer": "B",
        "category": "Egocentric",
        "duration": "medium",
        "source": "EgoSchema",
    },
    {
        "question_id": "ab2",
        "video": "videomme/x2.webm",
        "question": "Which word is shown?",
        "options": ["A. stop", "B. go", "C. wait"],
        "answer": "C. wait",
        "category": "Temporal OCR",
        "duration": 71.5,
    },
]


def as_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path


def as_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def as_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def publish(folder: Path) -> dict[str, Path]:
    """A file, or a folder, of each format."""
    as_json(folder / "ego" / "subset_answers.json", {"0022-bb": 4})
    for name, content in TEMP_COMPASS.items():
        as_json(folder / "questions" / f"{name}.json", content)
    as_json(folder / "questions" / "captioning.json", {"1015": {"action": [{"mc_answer": "A"}]}})
    as_json(folder / "json" / "4_count.json", MLVU)
    as_json(folder / "json" / "9_summary.json", [{"video": "a.mp4", "question": "Sum up."}])
    return {
        "video_mme": as_parquet(folder / "test-00000-of-00001.parquet", VIDEO_MME),
        "mlvu": folder / "json",
        "long_video_bench": as_json(folder / "lvb_val.json", LONG_VIDEO_BENCH),
        "temp_compass": folder / "questions",
        "next_qa": as_csv(folder / "val.csv", NEXT_QA),
        "perception_test": as_json(folder / "mc_question_valid.json", PERCEPTION_TEST),
        "ego_schema": as_json(folder / "ego" / "questions.json", EGO_SCHEMA),
        "apollo_bench": as_json(folder / "apollobench.json", APOLLO_BENCH),
    }
