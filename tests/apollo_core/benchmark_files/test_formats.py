"""Benchmarks as published become items, and what is wrong with a file is told with its place."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from published import (
    EGO_SCHEMA,
    LONG_VIDEO_BENCH,
    MLVU,
    MLVU_FAULTY,
    MLVU_TEST,
    NEXT_QA,
    PERCEPTION_TEST,
    TEMP_COMPASS,
    VIDEO_MME,
    as_csv,
    as_json,
    as_parquet,
    publish,
)

from apollo_core.benchmark_files.formats import FORMATS, format_of
from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest import (
    Item,
    Medium,
    manifest_digest,
    media_fingerprint,
    media_of,
    read_benchmark,
    read_questions,
)
from apollo_core.stages.identity import BenchmarkFormat

KITES = ("The red one.", "The blue one.", "Both at once.", "Neither.")


def read(path: Path) -> tuple[Item, ...]:
    return read_benchmark(path, format_of(path))


def test_every_format_of_the_identity_has_its_reader():
    assert set(get_args(BenchmarkFormat)) == set(FORMATS)


def test_every_published_layout_is_told_from_the_others(tmp_path):
    assert {name: format_of(path) for name, path in publish(tmp_path).items()} == {
        name: name for name in FORMATS if name != "items"
    }


def test_video_mme_reads_the_same_from_parquet_and_json(tmp_path):
    items = read(publish(tmp_path)["video_mme"])
    assert items[0] == Item(
        "001-1", "data/aQ-_9.mp4", "Which kite lands last?", KITES, 1, "short", "short",
        "Temporal Reasoning",
    )  # fmt: skip
    assert [item.answer_index for item in items] == [1, 3]
    assert read(as_json(tmp_path / "mme.json", VIDEO_MME)) == items


def test_mlvu_finds_the_answer_by_its_text_and_leaves_what_is_written_freely(tmp_path):
    assert read(publish(tmp_path)["mlvu"]) == (
        Item(
            "4_count_1", "video/4_count/kites_1.mp4", "How many kites are flown?",
            ("2", "3", "5", "8"), 2, "count",
        ),
    )  # fmt: skip
    (item,) = read(as_json(tmp_path / "test_multi_choice_tasks.json", MLVU_TEST))
    assert (item.id, item.video, len(item.options)) == ("AC_0", "video/kites_1.mp4", 6)


def test_mlvus_faulty_rows_are_read_as_its_own_program_reads_them_or_left_out_and_told(tmp_path):
    folder = tmp_path / "json"
    folder.mkdir()
    as_json(folder / "1_plotQA.json", MLVU * 19)
    path = as_json(folder / "7_topic_reasoning.json", [*MLVU_FAULTY, *MLVU])
    items, left_out = read_questions(folder, "mlvu")
    assert [(item.id, item.options, item.answer_index) for item in items[19:]] == [
        ("7_topic_reasoning_1", ("There is a kite", "There is no kite"), 1),
        ("7_topic_reasoning_2", ("6", "3", "3", "8"), 2),
        ("7_topic_reasoning_6", ("2", "3", "5", "8"), 2),
    ]
    assert left_out == {
        "7_topic_reasoning.json, entry 3": "answer: 'Catching a red kite' is none of the options "
        "['Fishing', 'Catching the kite']",
        "7_topic_reasoning.json, entry 4": "answer: it is blank",
        "7_topic_reasoning.json, entry 5": "question: it is blank",
    }
    with pytest.raises(BadInput, match=r"json: 3 of 6 questions cannot be answered, more than 20%"):
        read_questions(path, "mlvu")


def test_long_video_bench_reads_both_of_its_files(tmp_path):
    (item,) = read(publish(tmp_path)["long_video_bench"])
    assert (item.id, item.video) == ("zz11_0", "videos/zz11.mp4")
    assert (item.answer_index, item.options[3]) == (3, "a map")
    labels = (item.category, item.duration_group, item.task_type)
    assert labels == ("E2O", "600", "L1-Perception")
    row = {key: value for key, value in LONG_VIDEO_BENCH[0].items() if key != "candidates"}
    options = dict(enumerate([*item.options[:4], "N/A"]))
    row |= {f"option{number}": text for number, text in options.items()}
    (other,) = read(as_parquet(tmp_path / "validation.parquet", [row]))
    assert (other.options, other.answer_index) == (item.options[:4], 3)


def test_temp_compass_takes_options_from_the_questions_own_lines(tmp_path):
    items = read(publish(tmp_path)["temp_compass"])
    asked = [(item.task_type, item.category, item.options, item.answer_index) for item in items]
    assert asked == [
        ("caption_matching", "action", ("A dog digs.", "A dog swims."), 1),
        ("caption_matching", "action", ("A dog swims.", "A dog digs."), 0),
        ("multi-choice", "action", ("digging", "swimming", "barking"), 1),
        ("multi-choice", "direction", ("left", "right"), 0),
        ("multi-choice", "direction", ("up", "down", "Both at once"), 1),
        ("yes_no", "action", ("yes", "no"), 0),
    ]
    assert items[2].question == "What is the dog doing?"
    assert items[3].video == "videos/1015_reverse.mp4"
    row = {"video_id": "1015", "dim": "action", **TEMP_COMPASS["yes_no"]["1015"]["action"][0]}
    (item,) = read(as_parquet(tmp_path / "yes_no.parquet", [row]))
    assert (item.options, item.answer_index, item.category) == (("yes", "no"), 0, "action")


def test_next_qa_groups_its_types_and_keeps_commas(tmp_path):
    items = read(publish(tmp_path)["next_qa"])
    assert [item.id for item in items] == ["4010_0", "4010_1", "4010_2"]
    assert [item.category for item in items] == ["causal", "temporal", "descriptive"]
    assert items[0].question == "why did the boy, at last, let go of the string"
    assert (items[0].options[4], items[0].answer_index) == ("a dog came", 4)


def test_perception_test_numbers_questions_within_a_video(tmp_path):
    items = read(publish(tmp_path)["perception_test"])
    assert [item.id for item in items] == ["video_7_0", "video_7_3"]
    assert [(item.category, item.task_type) for item in items] == [
        ("physics", "descriptive"),
        ("memory", "explanatory"),
    ]
    assert items[0].video == "videos/video_7.mp4"
    assert [item.answer_index for item in items] == [2, 0]


def test_ego_schema_asks_what_has_a_public_answer(tmp_path):
    path = publish(tmp_path)["ego_schema"]
    (item,) = read(path)
    assert (item.id, item.video, item.answer_index) == ("0022-bb", "videos/0022-bb.mp4", 4)
    before = manifest_digest(path, "ego_schema")
    as_json(path.with_name("subset_answers.json"), {"0022-bb": 3})
    assert manifest_digest(path, "ego_schema") != before
    path.with_name("subset_answers.json").unlink()
    with pytest.raises(DataMissing, match=r"subset_answers\.json: EgoSchema's public answers"):
        read(path)


def test_apollo_bench_takes_options_with_letters_in_either_form(tmp_path):
    one, other = read(publish(tmp_path)["apollo_bench"])
    assert (one.video, one.options, one.answer_index) == (
        "egoschema/x1.mp4",
        ("a cup", "a kite"),
        1,
    )
    assert (one.category, one.duration_group, one.task_type) == (
        "Egocentric",
        "medium",
        "EgoSchema",
    )
    assert (other.video, other.options[2], other.answer_index) == ("videomme/x2.webm", "wait", 2)
    assert other.duration_group == ""


def test_our_own_manifest_stays_what_it_was_and_may_say_groups(tmp_path):
    row = {
        "id": "q", "video": "v.mp4", "question": "?", "options": ["A. x", "y"], "answer": "B",
        "category": "c", "duration_group": 60, "task_type": "ocr",
    }  # fmt: skip
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(row) + "\n")
    assert format_of(path) == "items"
    assert read(path) == (Item("q", "v.mp4", "?", ("A. x", "y"), 1, "c", "60", "ocr"),)
    (tmp_path / "v.mp4").write_bytes(b"1")
    found = media_fingerprint(path, tmp_path, "items")
    assert found == media_fingerprint(path, tmp_path)
    assert found["manifest"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_questions_with_our_fields_and_letters_before_their_options_lose_the_letters(tmp_path):
    row = {"id": "1", "video": "v.mp4", "question": "?", "answer": "B", "category": "c"}
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps(row | {"options": ["A. red", "(B) blue"]}))
    assert format_of(path) == "apollo_bench"
    (item,) = read_benchmark(path, "apollo_bench")
    assert (item.id, item.options, item.answer_index) == ("1", ("red", "blue"), 1)
    path.write_text(json.dumps(row | {"options": ["U. S.", "B. C."]}))
    assert format_of(path) == "items"


def test_media_of_a_public_file_are_its_videos_and_a_folder_counts_every_file(tmp_path):
    paths = publish(tmp_path)
    assert media_of(paths["next_qa"]) == (Medium("video", "videos/4010.mp4"),)
    assert len(media_of(paths["temp_compass"], "temp_compass")) == 2
    before = manifest_digest(paths["temp_compass"], "temp_compass")
    changed = json.loads(json.dumps(TEMP_COMPASS["yes_no"]).replace("yes", "no"))
    as_json(paths["temp_compass"] / "yes_no.json", changed)
    assert manifest_digest(paths["temp_compass"], "temp_compass") != before


def bad(rows: list[dict[str, Any]], **change: Any) -> list[dict[str, Any]]:
    return [*rows, {**rows[0], **change}]


BAD = {
    "letter": ("video_mme", "x.json", bad(VIDEO_MME, question_id="n", answer="E"),
               r"x\.json, entry 3: answer: 'E' is not the letter of an option; allowed: ABCD"),
    "order": ("video_mme", "x.json", bad(VIDEO_MME, question_id="n", options=["B. x", "A. y"]),
              r"entry 3: options: their letters are BA; AB is needed"),
    "again": ("video_mme", "x.json", bad(VIDEO_MME),
              r"entry 3: id '001-1' was used at entry 1 already"),
    "lacks": ("video_mme", "x.json", [VIDEO_MME[0], {"question_id": "n"}],
              r"entry 2: options: a list of texts is needed, got nothing \(the key is missing\)"),
    "text": ("mlvu", "x.json", bad(MLVU, answer="4"),
             r"x.json: 1 of 2 questions cannot be answered, more than 20%; .* The first: "
             r"x\.json, entry 2: answer: '4' is none of the options \['2', '3', '5', '8'\]"),
    "blank": ("mlvu", "x.json", bad(MLVU, candidates=["5", ""]),
              r"x\.json, entry 2: candidates: two that are not blank are needed, got \['5', ''\]"),
    "key": ("mlvu", "x.json", bad(MLVU, answer=None), r"entry 2: answer: a text is needed"),
    "place": ("long_video_bench", "x.json", bad(LONG_VIDEO_BENCH, id="n", correct_choice=5),
              r"entry 2: correct_choice: 5 is no option; allowed: 0 to 4"),
    "test set": ("long_video_bench", "x.json",
                 [{k: v for k, v in LONG_VIDEO_BENCH[0].items() if k != "correct_choice"}],
                 r"entry 1: correct_choice is missing: answers of the test set are not public"),
    "dimension": ("temp_compass", "x.json", {"7": {"action": [{"question": "Is it?"}]}},
                  r"x\.json, '7', action 1: answer: a text is needed"),
    "answer": ("temp_compass", "x.json",
               {"7": {"speed": [{"question": "Is it?", "answer": "maybe"}]}},
               r"'7', speed 1: answer: 'maybe' is none of the options"),
    "lines": ("temp_compass", "x.json",
              {"7": {"speed": [{"question": "Is\nit?", "answer": "yes"}]}},
              r"'7', speed 1: question: behind its first line only options"),
    "type": ("next_qa", "x.csv", bad(NEXT_QA, qid=9, type="XX"),
             r"x\.csv:5: type: 'XX' begins with none of C, T, D"),
    "number": ("next_qa", "x.csv", bad(NEXT_QA, qid=9, answer="B"),
               r"x\.csv:5: answer: a whole number is needed, got 'B'"),
    "path": ("next_qa", "x.csv", bad(NEXT_QA, qid=9, video="../v"), r"video: '../v' names a file"),
    "area": ("perception_test", "x.json",
             {"video_1": {"mc_question": [{**PERCEPTION_TEST["video_7"]["mc_question"][0],
                                           "answer_id": 3}]}},
             r"x\.json, 'video_1', mc_question 1: answer_id: 3 is no option"),
    "option": ("ego_schema", "x.json",
               [{k: v for k, v in EGO_SCHEMA[1].items() if k != "option 3"}],
               r"entry 1: option 3: a text is needed, got nothing"),
    "style": ("apollo_bench", "x.json", [{"video": "v", "question": "?", "answer": "A"}],
              r"entry 1: options or candidates: nothing"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_question_names_file_place_and_field(tmp_path, case):
    form, name, content, says = BAD[case]
    as_json(tmp_path / "subset_answers.json", {"0022-bb": 1})
    path = tmp_path / name
    if name.endswith(".csv"):
        as_csv(path, content)
    else:
        as_json(path, content)
    with pytest.raises(BadInput, match=says) as caught:
        read_benchmark(path, form)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", b"video,question\nv1,a\nv2,caf\xe9\n", r"x\.csv:3: byte 7 is not UTF-8"),
        ("x.csv", b"video,question\nv1\n", r"x\.csv:2: 1 fields, the header has 2"),
        ("x.csv", b"video,question\nv1,a,b\n", r"x\.csv:2: 3 fields, the header has 2"),
        ("x.csv", b'video,question\nv1,"a\n', r"x\.csv:2: not CSV"),
        ("x.json", b'[\n{"a": "caf\xe9"}]', r"x\.json:2: not UTF-8"),
        ("x.json", b'[{"a": 1},\n{"a" 2}]', r"x\.json:2: not JSON: Expecting ':'"),
        ("x.json", b"7", r"x\.json: a list or an object is needed, got int"),
        ("x.json", b"[7]", r"x\.json, entry 1: a JSON object is needed, got int"),
        ("x.json", b"[]", "the manifest is empty"),
        (
            "x.json",
            b'{"v1": {"mc_question": []}, "v1": {"mc_question": []}}',
            r"x\.json: the key 'v1' stands 2 times in one object",
        ),
        ("x.json", b'{"7": {"action": [], "action": []}}', "x.json: the key 'action' stands 2"),
        ("x.jsonl", b'{"id": 1}\n{"id": 1, "id": 2}', r"x\.jsonl:2: the key 'id' stands 2 times"),
        ("x.parquet", b"PAR1 not really", r"x\.parquet.*: not Parquet"),
        ("x.parquet", b"", r"x\.parquet.*: not Parquet"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_one_clear_error(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read_benchmark(path, "next_qa" if name == "x.csv" else "video_mme")


def test_options_may_be_as_many_as_each_question_has(tmp_path):
    more = {**VIDEO_MME[1], "question_id": "n", "options": ["yes", "no"], "answer": "A"}
    items = read(as_json(tmp_path / "x.json", [VIDEO_MME[0], more]))
    assert [len(item.options) for item in items] == [4, 2]


READING = """
import resource, sys
from apollo_core.errors import BadInput
from apollo_core.media.manifest import media_of
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    media_of(sys.argv[1], "items")
except BadInput as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_one_bad_line_among_many_is_named_in_bounded_memory(tmp_path):
    # In a process without the checks of shapes and types, which would take most of the time.
    path, count, wrong = tmp_path / "many.jsonl", 60_000, 47_321
    text = "x" * 500
    with path.open("w") as file:
        for number in range(1, count + 1):
            answer = "Z" if number == wrong else "A"
            file.write(
                f'{{"id": {number}, "video": "v{number % 9}.mp4", "question": "{text}", '
                f'"options": ["x", "y"], "answer": "{answer}", "category": "c"}}\n'
            )
    found = subprocess.run(
        [sys.executable, "-c", READING, str(path)], capture_output=True, text=True, check=True
    )
    error, grown_kib = found.stdout.splitlines()
    assert error == f"{path}:{wrong}: answer: 'Z' is not the letter of an option; allowed: AB"
    assert int(grown_kib) * 1024 < 300 * count  # ids and their places, no questions
