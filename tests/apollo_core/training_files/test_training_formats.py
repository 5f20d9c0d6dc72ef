from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shards import ASKED, PLAIN, asked, write_tar

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest import read_manifest
from apollo_core.media.manifest_record import Medium, Sample

QWEN = [
    {
        "role": "user",
        "content": [
            {"type": "image", "image": "a.png"},
            {"type": "video", "video": "b.mp4"},
            {"type": "text", "text": "Which is longer?"},
        ],
    },
    {"role": "assistant", "content": [{"type": "text", "text": "The film."}]},
]
TWO = (Medium("image", "a.png"), Medium("image", "b.png"))


def one(tmp_path: Path, record: dict[str, Any]) -> Sample:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(record))
    (sample,) = read_manifest(path)
    return sample


@pytest.mark.parametrize(
    ("record", "media", "question"),
    [
        ({"image": ["a.png", "b.png"], "conversations": asked("<image><image>?")}, TWO, None),
        ({"images": "a.png", "conversations": asked("<image>?")}, TWO[:1], None),
        ({"image": None, "video": None, "conversations": asked("?")}, (), None),
        (
            {"messages": QWEN},
            (TWO[0], Medium("video", "b.mp4")),
            "<image><video>\nWhich is longer?",
        ),
        (
            {
                "images": ["a.png"],
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image"}, {"type": "text", "text": "What?"}],
                    },
                    {"role": "assistant", "content": "A cat."},
                ],
            },
            TWO[:1],
            "<image>\nWhat?",
        ),
        ({"conversations": PLAIN}, (), "Hi"),
        ({"messages": asked("Hi")}, (), "Hi"),
        (
            {"images": ["a.png", "b.png"], "texts": [{"user": "Same?", "assistant": "No."}]},
            TWO,
            "<image><image>\nSame?",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": "a.png"}},
                            {"type": "text", "text": "What?"},
                        ],
                    },
                    {"role": "assistant", "content": "A cat."},
                ]
            },
            TWO[:1],
            "<image>\nWhat?",
        ),
    ],
)
def test_the_forms_of_public_files_are_read_as_one(tmp_path, record, media, question):
    sample = one(tmp_path, record)
    assert sample.media == media
    assert sample.id == "#1"
    if question:
        assert sample.turns[0] == ("user", question)
    assert sample.turns[-1][0] == "assistant"


FILM = (Medium("video", "a.mp4"),)


@pytest.mark.parametrize(
    ("record", "question"),
    [
        ({"video": "a.mp4", "conversations": asked("<image>\nWhat?")}, "<video>\nWhat?"),
        ({"video": ["a.mp4"], "conversations": asked("<video>\nWhat?")}, "<video>\nWhat?"),
        ({"video": "a.mp4", "image": None, "messages": [{"role": "user", "content": "<image>"},
          {"role": "assistant", "content": "A."}]}, "<video>"),
    ],
)  # fmt: skip
def test_a_video_may_be_marked_as_an_image_where_there_are_only_videos(tmp_path, record, question):
    sample = one(tmp_path, record)
    assert sample.media == FILM
    assert sample.turns[0] == ("user", question)


def test_a_film_of_a_shard_may_be_marked_as_an_image(tmp_path):
    write_tar(tmp_path / "s.tar", {"a.json": {"conversations": ASKED}, "a.mp4": b"film"})
    (sample,) = read_manifest(tmp_path / "s.tar")
    assert sample.media == (Medium("video", "s.tar/a.mp4"),)
    assert sample.turns[0] == ("user", "<video>\nWhat?")


@pytest.mark.parametrize(
    "record",
    [
        {"video": "a.mp4", "conversations": asked("<image><image>?")},
        {"video": "a.mp4", "image": "b.png", "conversations": asked("<image><image>?")},
        {"videos": ["a.mp4", "b.mp4"], "conversations": asked("<image><video>?")},
    ],
)
def test_marks_of_images_that_do_not_match_the_videos_are_refused(tmp_path, record):
    with pytest.raises(BadInput, match=r"m.jsonl:1: <video> stands \d times"):
        one(tmp_path, record)


def test_a_system_text_beside_the_turns_comes_first(tmp_path):
    sample = one(tmp_path, {"id": "a", "system": "Be brief.", "conversations": asked("?")})
    assert sample.turns == (("system", "Be brief."), ("user", "?"), ("assistant", "Yes."))


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ([{"type": "sound"}], r"messages\[0\].content\[0\].type: unknown 'sound'"),
        ([{"type": "video", "video": ["1.png", "2.png"]}], "a list of frames"),
        ([{"type": "text", "text": 7}], r"content\[0\].text: a text is needed, got 7"),
        ([7], r"content\[0\]: an object is needed, got int"),
    ],
)
def test_a_part_that_means_nothing_is_told_with_its_place(tmp_path, parts, says):
    turns = [{"role": "user", "content": parts}, {"role": "assistant", "content": "7"}]
    with pytest.raises(BadInput, match=r"m.jsonl:1: .*" + says):
        one(tmp_path, {"id": "a", "messages": turns})


def test_files_of_parts_and_of_the_record_exclude_each_other(tmp_path):
    with pytest.raises(BadInput, match="images: given, and 1 parts of the turns have a file"):
        one(tmp_path, {"id": "a", "image": "c.png", "messages": QWEN})


LIST = [{"id": f"é{n}", "text": '"]}, \\"', "conversations": asked(f"?{n}")} for n in range(50)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_is_read_an_entry_at_a_time_as_its_lines_are(tmp_path, monkeypatch, indent):
    monkeypatch.setattr("apollo_core.training_files.json_files._PIECE", 37)
    whole, lines = tmp_path / "m.json", tmp_path / "m.jsonl"
    text = json.dumps(LIST, indent=indent, ensure_ascii=False)
    whole.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    lines.write_text("\n".join(map(json.dumps, LIST)))
    assert [*read_manifest(whole)] == [*read_manifest(lines)]
    assert read_manifest(whole)[-1].id == "é49"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'[\n{"id": 1},\n{"id" 2}]', r"m.json:3: not JSON: Expecting ':'"),
        (b'[\n{"id": 1}\n{"id": 2}]', r"m.json:3: not JSON: a comma or the end"),
        (b'[{"id": 1', "m.json:1: not JSON: the file ends inside an entry; it was cut off"),
        (b'[{"id": 1},', "m.json:1: not JSON: the file ends inside the list; it was cut off"),
        (b'[\n{"id": "caf\xe9"}]', "m.json:2: not UTF-8"),
        ('["é"]'.encode("utf-16"), "m.json:1: not UTF-8"),
        (b"[7]", "m.json, entry 1: a JSON object is needed, got int"),
        (b"[]", "m.json: the manifest is empty"),
        (b"", "m.json: the manifest is empty"),
        (b'[{"id": 1, "conversations": []}]', "m.json, entry 1: conversations: a list of turns"),
        (b'[{"id": "' + b"x" * 70 + b'"}]', "entry 1: conversations: .*key is missing"),
    ],
)
def test_a_broken_list_is_told_with_its_line(tmp_path, content, says):
    path = tmp_path / "m.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read_manifest(path)


def test_half_a_character_is_told_with_its_place_and_a_whole_one_is_text(tmp_path):
    whole, half = ({"id": str(n), "conversations": asked(f"?{n}")} for n in range(2))
    whole["conversations"][0]["value"] = "\U0001f680?"  # json.dumps writes it as two halves
    half["messages"] = [{"role": "user", "content": [{"type": "text", "text": "\ud83d"}]},
                        {"role": "assistant", "content": "A."}]  # fmt: skip
    del half["conversations"]
    path = tmp_path / "m.json"
    path.write_text(json.dumps([whole]))
    assert read_manifest(path)[0].turns[0] == ("user", "\U0001f680?")
    path.write_text(json.dumps([whole, half]))
    write_tar(tmp_path / "s.tar", {"a.json": half})
    told = r"messages\[0\].content: character 1, '\\ud83d', is half of one"
    for name, place in (("m.json", ", entry 2"), ("s.tar", ", 'a'")):
        with pytest.raises(BadInput, match=f"{name}{place}: {told}"):
            read_manifest(tmp_path / name)


def test_lines_under_the_name_of_a_list_are_lines(tmp_path):
    path = tmp_path / "m.json"
    path.write_text(json.dumps({"id": "a", "conversations": asked("?")}) + "\n")
    assert [sample.id for sample in read_manifest(path)] == ["a"]


def test_several_files_are_one_set_in_the_patterns_order(tmp_path):
    for name in ("b1", "b0", "a"):
        record = {"id": name, "conversations": asked("?")}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(record))
    read = {
        pattern: [sample.id for sample in read_manifest(tmp_path / pattern)]
        for pattern in ("b{0..1}.jsonl", "*.jsonl", "{b1,a}.jsonl")
    }
    assert read == {
        "b{0..1}.jsonl": ["b0", "b1"],
        "*.jsonl": ["a", "b0", "b1"],
        "{b1,a}.jsonl": ["b1", "a"],
    }
    with pytest.raises(DataMissing, match=r"there is no .*b2.jsonl"):
        read_manifest(tmp_path / "b{0..2}.jsonl")
    with pytest.raises(DataMissing, match="no file has such a name"):
        read_manifest(tmp_path / "c*.jsonl")
    with pytest.raises(BadInput, match="runs backwards"):
        read_manifest(tmp_path / "b{2..0}.jsonl")
