"""Training sets whose files hold many samples, media and all: Parquet and tar shards."""

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
from shards import ASKED, PLAIN, asked, picture, write_tar

from apollo_core.errors import BadInput
from apollo_core.media.manifest import media_fingerprint, read_manifest
from apollo_core.media.manifest_record import Medium
from apollo_core.media.remote_media import medium_size, medium_version, read_medium

TWO = (Medium("image", "a.png"), Medium("image", "b.png"))


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
