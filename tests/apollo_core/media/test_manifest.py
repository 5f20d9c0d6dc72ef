from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest import (
    media_fingerprint,
    media_of,
    read_benchmark,
    read_manifest,
)
from apollo_core.media.manifest_record import Item, Medium, Sample

TURNS = [{"from": "human", "value": "<video>\nWhich digit?"}, {"from": "gpt", "value": "7"}]
SYSTEM = {"from": "system", "value": "be brief"}
CHAT = [{"role": "user", "content": TURNS[0]["value"]}, {"role": "assistant", "content": "7"}]
TALK = [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hello"}]
VIDEO = {"id": "v0", "video": "videos/v0.mp4", "conversations": TURNS}
QUESTION = {
    "id": "q0",
    "video": "videos/b0.mp4",
    "question": "Which digit appears first?",
    "options": ["3", "5", "7", "9"],
    "answer": "C",
    "category": "temporal_ocr",
}


def write(tmp_path: Path, *records: dict[str, Any]) -> Path:
    path = tmp_path / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(record) for record in records) + "\n", encoding="utf-8")
    return path


def human(text: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": text}, {"from": "gpt", "value": "7"}]


def test_every_kind_of_conversation_is_read_in_order(tmp_path):
    path = write(
        tmp_path,
        VIDEO,
        {"id": 1, "image": "a.png", "conversations": human("<image>\nWhat is it?")},
        {"id": "m", "images": ["a.png", "b.png"], "conversations": human("<image><image> Which?")},
        {"id": "t", "conversations": TALK},
    )
    video, image, images, text = read_manifest(path)
    assert video == Sample(
        "v0",
        (Medium("video", "videos/v0.mp4"),),
        (("user", "<video>\nWhich digit?"), ("assistant", "7")),
    )
    assert (image.id, image.media) == ("1", (Medium("image", "a.png"),))
    assert images.media == (Medium("image", "a.png"), Medium("image", "b.png"))
    assert text.media == ()


def test_several_videos_and_images_stand_in_the_order_of_their_marks(tmp_path):
    turns = [
        {"from": "human", "value": "<video> then <image>?"},
        {"from": "gpt", "value": "yes"},
        {"from": "human", "value": "and <video><image>?"},
        {"from": "gpt", "value": "no"},
    ]
    record = {
        "id": "m",
        "videos": ["a.mp4", "b.mp4"],
        "images": ["a.png", "b.png"],
        "conversations": turns,
    }
    alone = {"id": "v", "videos": ["c.mp4"], "conversations": TURNS}
    path = write(tmp_path, record, alone)
    mixed, one = read_manifest(path)
    assert mixed.media == (
        Medium("video", "a.mp4"),
        Medium("image", "a.png"),
        Medium("video", "b.mp4"),
        Medium("image", "b.png"),
    )
    assert one.media == (Medium("video", "c.mp4"),)
    assert media_of(path) == (*mixed.media, *one.media)


def test_the_first_turn_may_be_the_systems(tmp_path):
    system = [{"from": "system", "value": "be brief"}, *TURNS]
    chat = [{"role": "system", "content": "be brief"}, *CHAT]
    first, second = read_manifest(
        write(
            tmp_path,
            {**VIDEO, "conversations": system},
            {"id": "c", "video": VIDEO["video"], "messages": chat},
        )
    )
    assert first.turns[0] == ("system", "be brief")
    assert first.turns == second.turns


def test_the_chat_form_with_roles_says_the_same(tmp_path):
    chat = {"id": "v0", "video": "videos/v0.mp4", "messages": CHAT}
    assert [*read_manifest(write(tmp_path, chat))] == [*read_manifest(write(tmp_path, VIDEO))]


def test_a_benchmark_is_read_with_its_answer_as_an_index(tmp_path):
    assert read_benchmark(write(tmp_path, QUESTION)) == (
        Item(
            id="q0",
            video="videos/b0.mp4",
            question="Which digit appears first?",
            options=("3", "5", "7", "9"),
            answer_index=2,
            category="temporal_ocr",
        ),
    )


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_no_harm(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(VIDEO).encode() + b"\r\n\r\n")
    assert len(read_manifest(path)) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"conversations": [SYSTEM]}, "the last turn must be gpt's"),
        ({"conversations": [SYSTEM, SYSTEM, *TURNS]}, r"\[1\].from: turns alternate"),
        ({"conversations": [*TURNS, SYSTEM]}, r"\[2\].from: turns alternate"),
        ({"conversations": [SYSTEM, TURNS[1]]}, r"\[1\].from: turns alternate"),
        ({"conversations": [{**SYSTEM, "value": "<video>"}, *TURNS]}, "stands in a system turn"),
        ({"videos": ["a.mp4"]}, "videos: video is given too; put every file into videos"),
        ({"images": []}, "images: the list is empty"),
        ({"images": ["../a.png"]}, "images: '../a.png' must be relative"),
        ({"id": None}, "id: a text is needed"),
        ({"id": True}, "id: a text is needed"),
        ({"video": 7}, "video: a text is needed, got 7"),
        ({"video": "/absolute.mp4"}, "relative to the media root"),
        ({"video": "../up.mp4"}, "relative to the media root"),
        ({"image": "a.png"}, "<image> stands 0 times in human text, but 1 such media are given"),
        ({"conversations": []}, "conversations: a list of turns is needed"),
        ({"conversations": "hello"}, "conversations: a list of turns is needed"),
        ({"conversations": ["hello", "you"]}, r"conversations\[0\]: an object is needed"),
        ({"conversations": TURNS[::-1]}, "turns alternate human and gpt"),
        ({"conversations": TURNS[:1]}, "the last turn must be gpt's"),
        ({"conversations": [TURNS[0], {"from": "gpt"}]}, r"\[1\].value: .* \(the key is missing\)"),
        ({"conversations": [{"from": "robot", "value": "x"}]}, "unknown 'robot'"),
        ({"conversations": [{"from": ["human"], "value": "x"}]}, "unknown "),
        ({"conversations": TALK}, "<video> stands 0 times in human text, but 1 such"),
        ({"conversations": human("<video><video>?")}, "<video> stands 2 times"),
        ({"conversations": human("<video><image>?")}, "<image> stands 1 times .* but 0 such"),
        (
            {"conversations": [TURNS[0], {"from": "gpt", "value": "<video>"}]},
            "<video> stands in an answer",
        ),
        (
            {"conversations": [TURNS[0], {"from": "gpt", "value": "é \ud83d"}]},
            r"conversations\[1\].value: character 3, '\\ud83d', is half of one",
        ),
    ],
)
def test_a_bad_conversation_names_file_line_and_reason(tmp_path, change, says):
    path = write(tmp_path, {**VIDEO, "id": "fine"}, {**VIDEO, **change})
    with pytest.raises(BadInput, match=f"manifest.jsonl:2: .*{says}"):
        read_manifest(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer": "E"}, "answer: 'E' is not the letter of an option; allowed: ABCD"),
        ({"answer": "c"}, "answer: 'c' is not the letter"),
        ({"answer": "AB"}, "answer: 'AB' is not the letter"),
        ({"answer": 2}, "answer: a text is needed, got 2"),
        ({"options": ["3"]}, "options: 2 to 26 are needed, got 1"),
        ({"options": ["3", 5]}, "options: a list of texts is needed"),
        ({"question": " "}, "question: a text is needed"),
        ({"category": None}, "category: a text is needed"),
        ({"question": "Which \ud83d?"}, r"question: character 7, '\\ud83d', is half of one"),
        ({"options": ["3", "5 \ude00", "7"]}, r"options: character 3, '\\ude00', is half of one"),
        ({"category": "\ud83d"}, "category: character 1, .* is half of one"),
        ({"id": "a\udcff"}, r"id: character 2, '\\udcff', is half of one"),
    ],
)
def test_a_bad_question_names_file_line_and_reason(tmp_path, change, says):
    path = write(tmp_path, {**QUESTION, "id": "fine"}, {**QUESTION, **change})
    with pytest.raises(BadInput, match=f"manifest.jsonl:2: .*{says}"):
        read_benchmark(path)


def test_a_questions_id_used_twice_names_both_lines(tmp_path):
    with pytest.raises(BadInput, match=r":3: id 'q0' was used in line 1 already"):
        read_benchmark(write(tmp_path, QUESTION, {**QUESTION, "id": "q1"}, QUESTION))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{not json}\n", ":1: not JSON at column 2"),
        (b'"text"\n', ":1: a JSON object is needed, got str"),
        (b'{"id": "caf\xe9"}\n', ":1: byte 12 is not UTF-8"),
        (b"[" * 100_000, ":1: "),
        (b"", "the manifest is empty"),
        (b"\n\n", "the manifest is empty"),
    ],
)
def test_what_is_no_manifest_says_so(tmp_path, content, says):
    path = tmp_path / "manifest.jsonl"
    path.write_bytes(content)
    for read in (read_manifest, read_benchmark, media_of):
        with pytest.raises(BadInput, match=says):
            read(path)


def test_all_bad_lines_are_told_at_once_up_to_a_number(tmp_path):
    bad = [{**VIDEO, "id": f"v{i}", "video": 7} for i in range(13)]
    with pytest.raises(BadInput) as caught:
        read_manifest(write(tmp_path, *bad))
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "... and 3 more bad lines"


def test_a_missing_manifest_is_missing_data_and_a_folder_is_bad_input(tmp_path):
    with pytest.raises(DataMissing, match="no such manifest"):
        read_manifest(tmp_path / "none.jsonl")
    with pytest.raises(BadInput, match="cannot be read"):
        read_manifest(tmp_path)


def test_the_media_of_either_sort_are_listed_once_each(tmp_path):
    image = {"id": "i", "image": "a.png", "conversations": human("<image>?")}
    training = write(tmp_path, VIDEO, {**VIDEO, "id": "again"}, image)
    assert media_of(training) == (Medium("video", "videos/v0.mp4"), Medium("image", "a.png"))
    benchmark = write(tmp_path, QUESTION, {**QUESTION, "id": "q1"})
    assert media_of(benchmark) == (("video", "videos/b0.mp4"),)


def data_set(root: Path, count: int = 3) -> Path:
    root.mkdir()
    records = []
    for i in range(count):
        (root / f"{i}.png").write_bytes(b"x" * (i + 1))
        turns = [{"from": "human", "value": "<image>?"}, {"from": "gpt", "value": "7"}]
        records.append({"id": str(i), "image": f"{i}.png", "conversations": turns})
    path = root / "manifest.jsonl"
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_the_same_data_in_another_folder_has_the_same_fingerprint(tmp_path):
    one, other = data_set(tmp_path / "one"), data_set(tmp_path / "other")
    assert media_fingerprint(one, one.parent) == media_fingerprint(other, other.parent)


def test_a_changed_manifest_and_changed_media_are_told_apart(tmp_path):
    manifest = data_set(tmp_path / "data")
    first = media_fingerprint(manifest, manifest.parent)
    (manifest.parent / "1.png").write_bytes(b"another size")
    second = media_fingerprint(manifest, manifest.parent)
    manifest.write_text(manifest.read_text() + "\n")
    third = media_fingerprint(manifest, manifest.parent)
    assert first["manifest"] == second["manifest"] != third["manifest"]
    assert first["media"] != second["media"] == third["media"]


def test_media_that_is_not_there_is_counted_and_named(tmp_path):
    manifest = data_set(tmp_path / "data", count=9)
    for i in range(7):
        (manifest.parent / f"{i}.png").unlink()
    with pytest.raises(
        DataMissing, match=r"7 of 9 media files are missing .*: 0.png, .* and 2 more"
    ):
        media_fingerprint(manifest, manifest.parent)


def test_a_missing_root_and_a_missing_manifest_are_missing_data(tmp_path):
    manifest = data_set(tmp_path / "data")
    with pytest.raises(DataMissing, match="is not a folder"):
        media_fingerprint(manifest, tmp_path / "nowhere")
    with pytest.raises(DataMissing, match="no such manifest"):
        media_fingerprint(tmp_path / "none.jsonl", tmp_path)
