from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image
from small_sweep import write

from apollo_core.stages.identity import EvaluateIdentity
from orchestrator.cli import main
from orchestrator.data_check.histograms import resolutions, spread
from orchestrator.plan.graph import build_plan
from orchestrator.spec.sweep_file import load_sweep

NASA = Path(__file__).parent.parent / "data" / "nasa_13013.mp4"


@pytest.fixture
def apollo(monkeypatch, capsys):
    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["apollo", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return call


def conversation(name: str, **more: Any) -> dict[str, Any]:
    kind = "image" if name.endswith("png") else "video"
    turns = [{"from": "human", "value": f"<{kind}>\nWhat?"}, {"from": "gpt", "value": "A rocket."}]
    return {"id": name, kind: name, "conversations": turns, **more}


def question(name: str) -> dict[str, Any]:
    rest = {"question": "?", "options": ["x", "y"], "answer": "A", "category": "c"}
    return {"id": f"q {name}", "video": name, **rest}


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


@pytest.fixture
def data(tmp_path) -> Path:
    """A set with good, doubled, cut, empty and absent media, and a benchmark that shares some."""
    root = tmp_path / "data"
    root.mkdir()
    shutil.copy(NASA, root / "a.mp4")
    shutil.copy(NASA, root / "b.mp4")
    (root / "cut.mp4").write_bytes(NASA.read_bytes()[:200_000])
    (root / "empty.mp4").touch()
    Image.new("RGB", (64, 32)).save(root / "c.png")
    names = ("a.mp4", "cut.mp4", "empty.mp4", "gone.mp4", "c.png")
    lines(root / "own.jsonl", *map(conversation, names))
    lines(root / "bench.jsonl", question("b.mp4"), question("lost.mp4"))
    return root


def test_ids_that_stood_before_and_questions_without_an_answer_are_counted_and_named(apollo, data):
    twice = conversation("a.mp4")
    lines(data / "again.jsonl", twice, conversation("c.png"), twice, twice)
    row = {"video": "x.mp4", "question": "?", "candidates": ["7", "5"], "answer": "5",
           "question_type": "count", "duration": 4}  # fmt: skip
    (data / "4_count.json").write_text(json.dumps([*[row] * 4, row | {"answer": "6"}]))
    (data / "video" / "4_count").mkdir(parents=True)
    shutil.copy(NASA, data / "video" / "4_count" / "x.mp4")
    out = data.parent / "report"
    code, said, _ = apollo(
        "check-data", data / "again.jsonl", data / "4_count.json", "--root", data, "--out", out
    )
    assert code == 0
    assert "again.jsonl: 4 rows, 2 media, repeated ids, called `a#2`: 2\n" in said
    why = "answer: '6' is none of the options ['7', '5']"
    assert (
        "4_count.json: 4 rows, 1 media, questions without an answer, not asked: 1\n"
        f"  4_count.json, entry 5: {why}\n"
    ) in said
    own, bench = json.loads((out / "report.json").read_text())["sets"]
    assert (own["repeated_ids"], bench["repeated_ids"]) == (2, 0)
    assert bench["unanswerable"] == {"4_count.json, entry 5": why}
    page = (out / "report.html").read_text()
    assert "Questions of 4_count.json that have no answer" in page
    assert "2 of 4 samples have an id that stood before" in page


def test_a_folder_is_written_that_says_all_and_a_list_that_leaves_out_what_is_bad(apollo, data):
    out = data.parent / "report"
    code, said, _ = apollo(
        "check-data", data / "own.jsonl", data / "bench.jsonl", "--root", data, "--out", out
    )
    assert code == 1
    assert "lost.mp4: is missing" in said
    found = json.loads((out / "report.json").read_text())
    assert (found["videos"], found["images"], found["usable"]) == (6, 1, 3)
    assert (found["missing"], found["empty"]) == (["gone.mp4", "lost.mp4"], ["empty.mp4"])
    assert found["unreadable"][0][0] == "cut.mp4"
    assert found["duplicates"] == [["a.mp4", "b.mp4"]]
    assert found["in_training_and_benchmark"] == [["a.mp4", "b.mp4"]]
    assert found["resolutions"] == [[480, 270, 2], [64, 32, 1]]
    assert found["seconds"]["median"] == pytest.approx(13.01, abs=0.02)
    assert found["frames_per_second"]["median"] == pytest.approx(29.97, abs=0.01)
    own, bench = found["sets"]
    assert (own["rows"], own["rows_with_bad_media"], own["holds"]) == (5, 3, "conversations")
    assert (bench["rows_with_bad_media"], bench["first_of_them"]) == (1, ["q lost.mp4"])
    listed = [json.loads(line) for line in (out / "excluded.jsonl").read_text().splitlines()]
    # A benchmark's questions are not taken out by a list.
    assert [each["medium"] for each in listed] == ["cut.mp4", "empty.mp4", "gone.mp4"]
    page = (out / "report.html").read_text()
    assert "1 of 2 questions cannot be asked (q lost.mp4)" in page
    assert "<svg" in page
    assert (out / "durations.png").read_bytes().startswith(b"\x89PNG")


def test_videos_may_be_too_short_or_too_long(apollo, data):
    lines(data / "own.jsonl", conversation("a.mp4"), conversation("c.png"))
    call = ("check-data", data / "own.jsonl", "--root", data, "--json")
    assert apollo(*call)[0] == 0
    code, out, _ = apollo(*call, "--min-seconds", 20)
    assert (code, json.loads(out)["too_short"]) == (1, ["a.mp4"])
    code, out, _ = apollo(*call, "--max-seconds", 10)
    assert (code, json.loads(out)["too_long"]) == (1, ["a.mp4"])


def of_own(root: str) -> dict[str, Any]:
    """Changes after which a small sweep trains on `own.jsonl`."""
    return {
        "data": {"root": root, "sets": {"own": {"manifest": "own.jsonl"}}},
        "data/pretraining": {"text": "own"},
        "schedules/two-stage/0/data": "own",
        "schedules/two-stage/1/data": "own",
        "base/mixture": "own",
        "axes/mixture": None,
    }


def test_a_sweep_is_checked_whole_with_the_tokens_of_a_design(apollo, data):
    lines(data / "own.jsonl", conversation("a.mp4"), conversation("c.png"))
    lines(data / "bench.jsonl", question("b.mp4"))
    sweep = write(data.parent, of_own(str(data)))
    code, out, _ = apollo("check-data", sweep, "--design", f"{sweep}:sampling=uniform-8@xs#0",
                          "--store", data.parent / "store", "--json")  # fmt: skip
    assert code == 0
    own, bench = json.loads(out)["sets"]
    # Eight frames are two clips of four frames, four tokens each; an image is one clip.
    assert own["tokens"]["most"] - own["tokens"]["least"] >= 16
    assert "tokens" not in bench


def test_what_a_sweep_excludes_changes_its_training_and_no_benchmark(data):
    excluded = lines(data / "excluded.jsonl", {"medium": "b.png", "why": "?"})
    records = [conversation(name) for name in ("c.png", "b.png", "d.png")]
    for name in ("b.png", "d.png"):
        shutil.copy(data / "c.png", data / name)
    lines(data / "own.jsonl", *records)
    lines(data / "bench.jsonl", question("b.mp4"))

    def keys(**more: Any) -> dict[str, str]:
        fields = {"root": str(data), "sets": {"own": {"manifest": "own.jsonl"}}, **more}
        changes = {
            "data": {**fields, "pretraining": {"text": "own"}},
            "schedules/two-stage/0/data": "own",
            "schedules/two-stage/1/data": "own",
            "base/mixture": "own",
            "axes": {"sampling": {"uniform-8": {"sampling": {"mode": "uniform", "frames": 8}}}},
            "evaluation/0/manifest": "bench.jsonl",
        }
        plan = build_plan(load_sweep(write(data.parent, changes)), store=data.parent)
        assert not plan.provisional
        variant = plan.variants[0]
        asked = plan.stages[variant.evaluations["bench"]].identity
        assert isinstance(asked, EvaluateIdentity)
        return {"align": variant.steps["align"], "bench": asked.benchmark}

    whole, left = keys(), keys(exclude="excluded.jsonl")
    assert whole["align"] != left["align"]
    assert whole["bench"] == left["bench"]
    (data / "b.png").unlink()
    assert keys(exclude="excluded.jsonl") == left
    lines(excluded, {"medium": "elsewhere.png"})
    shutil.copy(data / "c.png", data / "b.png")
    assert keys(exclude="excluded.jsonl") == whole


def test_what_the_sweep_leaves_out_already_is_told_apart_and_passes(apollo, data):
    names = ("a.mp4", "c.png", "cut.mp4")
    lines(data / "own.jsonl", *map(conversation, names))
    lines(data / "bench.jsonl", question("b.mp4"))
    call = ("check-data", write(data.parent, of_own(str(data))), "--out", data.parent / "first")
    assert apollo(*call)[0] == 1
    shutil.copy(data.parent / "first" / "excluded.jsonl", data)
    sweep = write(data.parent, {**of_own(str(data)), "data/exclude": "excluded.jsonl"})
    out = data.parent / "second"
    code, said, _ = apollo("check-data", sweep, "--out", out)
    assert code == 0
    assert "own.jsonl: 2 rows, 2 media, 1 more left out by the sweep" in said
    assert "not looked at: 1 media" in said
    found = json.loads((out / "report.json").read_text())
    assert (found["media_left_out"], found["sets"][0]["left_out"]) == (["cut.mp4"], 1)
    (data / "c.png").write_bytes(b"no picture")
    assert apollo("check-data", sweep, "--out", out)[0] == 1
    # The list as it is written may take the place of the sweep's own.
    listed = [json.loads(line) for line in (out / "excluded.jsonl").read_text().splitlines()]
    assert [each["medium"] for each in listed] == ["cut.mp4", "c.png"]


def test_what_the_sweeps_decoder_refuses_is_found_before_a_run(apollo, data):
    with av.open(str(NASA)) as source, av.open(str(data / "a.ts"), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    lines(data / "own.jsonl", conversation("a.ts"))
    lines(data / "bench.jsonl", question("b.mp4"))
    plain = of_own(str(data))
    assert apollo("check-data", write(data.parent, plain))[0] == 0
    sweep = write(data.parent, {**plain, "data/decoder": "decord"})
    code, said, _ = apollo("check-data", sweep)
    assert code == 1
    assert "a.ts: is of a kind (mpegts) whose frames decord confuses" in said
    code, _, err = apollo("run", sweep, "--store", data.parent / "store")
    assert code == 2
    assert "a.ts is of a kind (mpegts)" in err


@pytest.mark.parametrize(
    ("name", "says"), [("a\0.mp4", "NUL character"), ("a\udc80.mp4", "a name that is no text")]
)
def test_a_medium_whose_name_no_file_can_have_is_bad_and_the_report_is_written(
    apollo, data, name, says
):
    lines(data / "own.jsonl", conversation(name, id="1"), conversation("c.png"))
    out = data.parent / "out"
    code, said, _ = apollo("check-data", data / "own.jsonl", "--root", data, "--out", out)
    assert code == 1
    assert says in said
    assert "1 of 2 media usable" in said
    assert says in (out / "report.html").read_text()
    lines(data / "bench.jsonl", question("b.mp4"))
    sweep = write(data.parent, of_own(str(data)))
    code, _, err = apollo("run", sweep, "--store", data.parent / "store")
    assert (code, "Traceback" in err) == (2, False)


def test_the_working_folder_may_be_what_is_checked(apollo, data, monkeypatch):
    folder = data / "questions"
    folder.mkdir()
    lines(folder / "bench.jsonl", question("a.mp4"))
    monkeypatch.chdir(folder)
    code, said, _ = apollo("check-data", ".", "--root", data)
    assert (code, "1 of 1 media usable" in said) == (0, True)


def test_what_was_only_listed_is_not_said_to_have_been_opened(apollo, data):
    lines(data / "own.jsonl", conversation("a.mp4"), conversation("cut.mp4"))
    lines(data / "bench.jsonl", question("b.mp4"))
    sweep = write(data.parent, of_own(f"file://{data}"))
    out = data.parent / "checked"
    code, told, _ = apollo("check-data", sweep, "--store", data.parent / "store", "--out", out)
    assert code == 0
    assert "3 of 3 media usable by the listing of their store; none was opened" in told
    assert "none was opened" in (out / "report.html").read_text()


def test_manifests_that_are_not_here_are_looked_for_where_a_sweep_would(apollo, data, monkeypatch):
    lines(data / "own.jsonl", conversation("a.mp4"))
    monkeypatch.chdir(data.parent)
    for name in ("own.jsonl", "o*.jsonl"):
        code, out, _ = apollo("check-data", name, "--root", "data", "--json")
        assert code == 0
        assert [(one["manifest"], one["rows"]) for one in json.loads(out)["sets"]] == [(name, 1)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("own.jsonl",), "--root: give the folder"),
        (("none.jsonl", "--root", "."), "no such manifest"),
        (("own.jsonl", "--root", "nowhere"), "nowhere is not a folder"),
        (("own.jsonl", "--root", "s3://bucket/x"), "--root: a URL; check a sweep file"),
        (("s.yaml", "own.jsonl"), "s.yaml is a sweep; give it alone"),
        (("own.jsonl", "--root", ".", "--out", "own.jsonl"), "own.jsonl cannot be written"),
        (("bad.jsonl", "own.jsonl", "--root", "."), "bad.jsonl:1: not JSON"),
        (("own.jsonl", "--root", ".", "--min-seconds", "9", "--max-seconds", "5"), "9 is over"),
    ],
)
def test_what_cannot_be_checked_is_one_message_and_exit_2(apollo, data, monkeypatch, words, says):
    monkeypatch.chdir(data)
    (data / "bad.jsonl").write_text("{")
    code, _, err = apollo("check-data", *words)
    assert code == 2
    assert says in err
    assert "Traceback" not in err


def test_pictures_are_drawn_of_one_value_of_many_and_of_sizes():
    for values in ([3.0], [0.1, 1.0, 4000.0], [0.0, 5.0]):
        assert spread("x", values, unit="s", caption="c", limit=4.0).svg.startswith("<svg")
    sizes = Counter({(n, n): n for n in range(1, 30)})
    assert resolutions(sizes, caption="c").png.startswith(b"\x89PNG")
