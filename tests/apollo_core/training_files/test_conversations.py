from __future__ import annotations

import json
import subprocess
import sys

import pytest
from shards import ASKED, picture, write_tar

from apollo_core.errors import BadData, BadInput
from apollo_core.media.manifest import media_fingerprint, read_manifest
from apollo_core.training_files.conversations import Joined
from apollo_core.training_files.exclusion import read_exclusion

TALK = [{"from": "human", "value": "2 plus 2?"}, {"from": "gpt", "value": "4"}]
LONGER = [*TALK, *TALK]


def lines(path, *records):
    path.write_text("\n".join(map(json.dumps, records)))
    return path


def test_sets_one_behind_the_other_are_read_like_one(tmp_path):
    own = [{"id": f"a{n}", "conversations": LONGER if n == 1 else TALK} for n in range(3)]
    first = read_manifest(lines(tmp_path / "a.jsonl", *own))
    write_tar(tmp_path / "s.tar", {"x.json": {"conversations": TALK}, "y.json": {"messages": []}})
    with pytest.raises(BadInput):
        read_manifest(tmp_path / "s.tar")
    write_tar(tmp_path / "s.tar", {f"{n}.json": {"conversations": TALK} for n in "xy"})
    second = read_manifest(tmp_path / "s.tar")
    both = Joined([first, second])
    assert [both[at].id for at in range(len(both))] == ["a0", "a1", "a2", "s/x", "s/y"]
    assert both[-1].id == "s/y"
    assert both.blocks is not None
    assert both.blocks.tolist() == [0, 1, 2, 3, 3]
    assert Joined([first]).blocks is None
    assert sorted(len(one.turns) for one in both.of_each_length()) == [2, 4]
    with pytest.raises(IndexError):
        both[5]


def test_a_file_that_changes_while_it_is_read_is_bad_data(tmp_path):
    path = lines(tmp_path / "a.jsonl", *({"id": n, "conversations": TALK} for n in range(3)))
    read = read_manifest(path)
    path.write_text("x" * 500)
    with pytest.raises(BadData, match=r"a.jsonl: row 2 was changed while the file was in use"):
        read[1]


def test_a_list_leaves_out_samples_by_medium_and_by_id(tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.png").write_bytes(picture())
    records = [
        *({"id": n, "image": f"{n}.png", "conversations": ASKED} for n in "ab"),
        {"id": "c", "conversations": TALK},
        {"id": "d", "conversations": LONGER},
    ]
    path = lines(tmp_path / "m.jsonl", *records)
    listed = lines(
        tmp_path / "excluded.jsonl",
        {"medium": "b.png", "why": "is missing"},
        {"id": "c", "set": "m.jsonl"},
        {"id": "d", "set": "other.jsonl"},
    )
    left = read_exclusion(listed, "m.jsonl").of(read_manifest(path))
    assert [sample.id for sample in left] == ["a", "d"]
    assert left.turns.tolist() == [2, 4]
    whole = media_fingerprint(path, tmp_path)
    part = media_fingerprint(path, tmp_path, None, read_exclusion(listed, "m.jsonl"))
    assert part["manifest"] == whole["manifest"]
    assert part["media"] != whole["media"]
    assert "excluded" in part
    (tmp_path / "b.png").unlink()  # what is left out need not be there
    assert media_fingerprint(path, tmp_path, None, read_exclusion(listed, "m.jsonl")) == part


def test_a_list_that_touches_nothing_of_a_set_changes_no_fingerprint(tmp_path):
    path = lines(tmp_path / "m.jsonl", {"id": "c", "conversations": TALK})
    listed = lines(tmp_path / "excluded.jsonl", {"medium": "elsewhere.mp4"})
    with_list = media_fingerprint(path, tmp_path, None, read_exclusion(listed, "m.jsonl"))
    assert with_list == media_fingerprint(path, tmp_path)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"why": "?"}, r"e.jsonl:1: `medium`, or `id` with its `set`, is needed"),
        ({"id": "a"}, r"e.jsonl:1: set: a text is needed"),
        ({"medium": 7}, r"e.jsonl:1: medium: a text is needed, got 7"),
    ],
)
def test_a_bad_line_of_a_list_is_named(tmp_path, record, says):
    with pytest.raises(BadInput, match=says):
        read_exclusion(lines(tmp_path / "e.jsonl", record), "m.jsonl")


def test_an_id_that_a_set_repeats_has_its_place_behind_it(tmp_path):
    names = ("000", "v", "000", "#3", "000", "v#9")
    rows = [{"id": name, "conversations": TALK} for name in names]
    path = lines(tmp_path / "m.jsonl", *rows, {"conversations": TALK})
    read = read_manifest(path)
    called = ["000", "v", "000#2", "#3", "000#3", "v#9", "#7"]
    assert [sample.id for sample in read] == called
    assert read.repeated == 2
    write_tar(tmp_path / "s.tar", {f"{n}.json": row for n, row in enumerate(rows)})
    assert [sample.id for sample in read_manifest(tmp_path / "s.tar")] == called[:-1]
    listed = lines(tmp_path / "excluded.jsonl", {"id": "000#2", "set": "m.jsonl"})
    left = read_exclusion(listed, "m.jsonl").of(read)
    assert [sample.id for sample in left] == [name for name in called if name != "000#2"]
    assert (left.repeated, left[2].id) == (1, "#3")
    assert read_manifest(lines(tmp_path / "n.jsonl", rows[0], rows[1])).repeated == 0


def test_a_row_that_is_called_like_a_repeated_one_is_named(tmp_path):
    names = ("000", "000#2", "000#3", "000", "000")
    path = lines(tmp_path / "m.jsonl", *({"id": name, "conversations": TALK} for name in names))
    with pytest.raises(BadInput) as caught:
        read_manifest(path)
    assert str(caught.value).splitlines() == [
        f"{path}:{at}: id '000#{at}' is what id '000' is called where it stands for time {at}; "
        "give this row another"
        for at in (2, 3)
    ]


MEMORY = """
import gc, json, sys, tracemalloc
from apollo_core.errors import BadInput
from apollo_core.media.manifest import read_manifest
try:
    read_manifest(sys.argv[1])
except BadInput as error:
    said = str(error)
gc.collect()
tracemalloc.start()
kept = read_manifest(sys.argv[2])
gc.collect()
print(json.dumps([said, len(kept), tracemalloc.get_traced_memory()[0]]))
"""


def test_a_manifest_takes_a_few_bytes_a_row_and_a_bad_line_in_it_is_named(tmp_path):
    """In a process of its own: shapes and types are not checked there, which takes ten times as
    long."""
    record = {"video": "a.mp4", "conversations": [
        {"from": "human", "value": "<video>\nWhat happens in this film, and in which order?"},
        {"from": "gpt", "value": "A rocket starts. " * 20}]}  # fmt: skip
    rows = [json.dumps({"id": f"v{n % 9_000}", **record}) for n in range(20_000)]
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    good.write_text("\n".join(rows))
    rows[11_233] = rows[11_233].replace('"gpt"', '"robot"')
    bad.write_text("\n".join(rows))
    run = [sys.executable, "-c", MEMORY, str(bad), str(good)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, timeout=120)
    said, count, grown = json.loads(told.stdout)
    assert said.startswith(f"{bad}:11234: conversations[1].from: unknown 'robot'")
    assert count == 20_000
    assert grown / count < 40  # places of rows, and the ids that are repeated
