from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shards import ASKED, picture, write_tar

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest import media_fingerprint, read_manifest
from apollo_core.media.manifest_record import Medium, Sample
from apollo_core.media.remote_media import medium_size, medium_version, read_medium

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
PLAIN = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
TWO = (Medium("image", "a.png"), Medium("image", "b.png"))


def one(tmp_path: Path, record: dict[str, Any]) -> Sample:
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(record))
    (sample,) = read_manifest(path)
    return sample


def asked(text: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": text}, {"from": "gpt", "value": "Yes."}]


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


def table(tmp_path: Path, rows: list[dict[str, Any]], **how: Any) -> Path:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path, **how)
    return path


def test_parquet_rows_are_those_of_the_same_lines(tmp_path):
    rows = [
        {"id": "a", "image": "a.png", "images": [], "conversations": asked("<image>?")},
        {"id": "b", "image": None, "images": ["a.png", "b.png"], "score": 0.5,
         "conversations": asked("<image><image>?")},
        {"id": "c", "conversations": asked("?")},
    ]  # fmt: skip
    first, second, third = read_manifest(table(tmp_path, rows))
    assert (first.media, second.media, third.media) == (TWO[:1], TWO, ())
    assert second.turns == (("user", "<image><image>?"), ("assistant", "Yes."))


def test_pictures_inside_of_parquet_reach_the_decoder(tmp_path):
    rows = [
        {"images": [{"bytes": picture(n), "path": f"{n}.png"}],
         "texts": [{"user": f"{n}?", "assistant": "Yes."}]}
        for n in range(5)
    ]  # fmt: skip
    path = table(tmp_path, rows, row_group_size=2)
    read = read_manifest(path, tmp_path)
    assert read.blocks is not None
    assert read.blocks.tolist() == [0, 0, 1, 1, 2]
    assert read[3].id == "train.parquet/3"
    ((kind, name),) = read[3].media
    assert (kind, name) == ("image", "train.parquet/3/images.0.png")
    assert read_medium(tmp_path, name, shade) == 3
    assert medium_size(tmp_path, name) == len(picture(3))
    with pytest.raises(FileNotFoundError):
        medium_size(tmp_path, "train.parquet/9/images.0.png")


def shade(path: Path) -> int:
    return int(np.asarray(Image.open(path))[0, 0, 0])


def shards(root: Path, *, each: int = 3) -> Path:
    for shard in range(2):
        members: dict[str, Any] = {}
        for n in range(each):
            members[f"{n}.png"] = picture(10 * shard + n)
            members[f"{n}.json"] = {"conversations": ASKED}
        write_tar(root / "shards" / f"{shard:03d}.tar", members)
    return root / "shards"


def test_a_folder_of_shards_is_read_with_its_media(tmp_path):
    read = read_manifest(shards(tmp_path), tmp_path)
    assert [sample.id for sample in read] == [f"{s:03d}/{n}" for s in range(2) for n in range(3)]
    assert read[4].media == (Medium("image", "shards/001.tar/1.png"),)
    assert read_medium(tmp_path, read[4].media[0].path, shade) == 11
    assert medium_version(tmp_path, read[4].media[0].path)[0] == len(picture(11))
    same = read_manifest(tmp_path / "shards" / "{000..001}.tar", tmp_path)
    assert [*same] == [*read]


@pytest.mark.parametrize(
    ("members", "media", "question"),
    [
        ({"a.mp4": b"film", "a.txt": b" A rocket.\n"}, ["a.mp4"], "<video>"),
        ({"a.json": {"messages": PLAIN}, "a.1.jpg": b"x", "a.0.jpg": b"y"},
         ["a.1.jpg", "a.0.jpg"], "<image><image>\nHi"),
        ({"a.jpg": b"x", "a.json": {"image": "coco/17.jpg", "conversations": ASKED}},
         ["a.jpg"], "<image>\nWhat?"),
        ({"in/a.jpg": b"x", "in/a.json": {"image": "a.jpg", "conversations": ASKED}},
         ["in/a.jpg"], "<image>\nWhat?"),
    ],
)  # fmt: skip
def test_a_sample_of_a_shard_has_the_media_beside_it(tmp_path, members, media, question):
    write_tar(tmp_path / "s.tar", members)
    (sample,) = read_manifest(tmp_path / "s.tar")
    assert [path for _, path in sample.media] == [f"s.tar/{name}" for name in media]
    assert sample.turns[0] == ("user", question)


def test_what_is_wrong_in_a_shard_is_told_with_its_sample(tmp_path):
    write_tar(
        tmp_path / "s.tar",
        {
            "a.json": {"conversations": ASKED[:1]},
            "b.png": b"x",
            "c.json": b"{",
            "d.json": {"image": "e.png", "conversations": ASKED},
        },
    )
    with pytest.raises(BadInput) as caught:
        read_manifest(tmp_path / "s.tar")
    told = str(caught.value).splitlines()
    assert "s.tar, 'a': conversations: the last turn must be gpt's" in told[0]
    assert "s.tar, 'b': the sample has neither b.json nor b.txt, only b.png" in told[1]
    assert "s.tar, 'c': not JSON at column 2" in told[2]
    assert "s.tar, 'd': image: 'e.png' is no member of the sample" in told[3]


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("s.tar", b"", r"s.tar: the shard is empty \(0 bytes\)"),
        ("s.tar", b"\0" * 10240, "s.tar: the manifest is empty: no sample in 1 files"),
        ("s.tar", b"\x1f\x8b" + b"x" * 600, "the shard is compressed"),
        ("s.tar", b"no tar" * 200, "s.tar: the shard is no tar file"),
        ("s.tar.gz", b"\x1f\x8b", "a compressed archive cannot be read one by one"),
        ("m.parquet", b"", r"m.parquet: is empty \(0 bytes\)"),
        ("m.parquet", b"PAR1" * 9, "m.parquet: not Parquet"),
    ],
)
def test_what_is_no_shard_and_no_parquet_says_so(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=says):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize("left", [300, 700, 2 * 512, 3 * 512])
def test_a_shard_that_was_cut_off_says_so(tmp_path, left):
    path = write_tar(tmp_path / "s.tar", {"a.json": {"conversations": asked("?")}})
    cut(path, left)
    if left >= 1536:  # one block of zeros is an end, and so much is there
        assert len(read_manifest(path)) == 1
        return
    with pytest.raises(BadInput, match=r"s.tar: the shard is (cut off|no tar file)"):
        read_manifest(path)


def test_foreign_columns_are_told_with_those_that_are_there(tmp_path):
    path = table(tmp_path, [{"url": "http://a", "caption": "A cat"}])
    with pytest.raises(BadInput, match=r"no column of conversations; .* are url, caption"):
        read_manifest(path)


def test_a_bad_row_of_parquet_is_named_by_its_number(tmp_path):
    rows = [{"id": str(n), "conversations": asked("?") if n != 7 else []} for n in range(9)]
    with pytest.raises(BadInput, match=r"train.parquet, row 8: conversations: a list of turns"):
        read_manifest(table(tmp_path, rows, row_group_size=3))


def test_an_id_that_comes_twice_gets_its_place_in_every_kind(tmp_path):
    rows = [{"id": "a", "conversations": asked("?")}] * 2
    (tmp_path / "m.json").write_text(json.dumps(rows))
    write_tar(tmp_path / "s.tar", {f"{n}.json": row for n, row in enumerate(rows)})
    for path in (table(tmp_path, rows), tmp_path / "m.json", tmp_path / "s.tar"):
        read = read_manifest(path)
        assert ([sample.id for sample in read], read.repeated) == (["a", "a#2"], 1)


def test_a_shard_outside_of_the_media_root_is_refused(tmp_path):
    with pytest.raises(BadInput, match="must lie below the media root"):
        read_manifest(shards(tmp_path / "one"), tmp_path / "other")


def test_shards_are_the_same_data_wherever_they_lie_and_not_once_a_word_changes(tmp_path):
    one, other = shards(tmp_path / "one"), shards(tmp_path / "other")
    first = media_fingerprint(one, one.parent)
    assert first == media_fingerprint(other, other.parent)
    changed = json.loads(json.dumps(ASKED).replace("cat", "dog"))
    members = {f"{n}.png": picture(n) for n in range(3)}
    records = {f"{n}.json": {"conversations": changed} for n in range(3)}
    write_tar(
        other / "000.tar",
        {
            name: {**members, **records}[name]
            for n in range(3)
            for name in (f"{n}.png", f"{n}.json")
        },
    )
    assert media_fingerprint(other, other.parent)["manifest"] != first["manifest"]


def test_shards_that_did_not_change_are_not_gone_through_again(tmp_path, scratch):
    folder = shards(tmp_path)
    for shard in folder.iterdir():
        os.utime(shard, (1, 1))
    read_manifest(folder, tmp_path)
    (rows,) = scratch.glob("unpacked/*/rows.jsonl")
    made = rows.stat().st_mtime_ns, rows.stat().st_ino
    rows.write_text(rows.read_text().replace("What?", "Where?"))
    assert read_manifest(folder, tmp_path)[0].turns[0] == ("user", "<image>\nWhere?")
    assert rows.stat().st_ino == made[1]


def test_a_folder_of_two_kinds_is_refused(tmp_path):
    folder = shards(tmp_path)
    table(folder, [{"id": "a", "conversations": asked("?")}])
    with pytest.raises(BadInput, match=r"holds \*.tar and \*.parquet; name one kind"):
        read_manifest(folder, tmp_path)
