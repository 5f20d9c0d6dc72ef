"""`apollo evaluate ROSTER`: models of others in the same store and tables as ours."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from foreign_models import tiny_qwen2_vl
from typer.testing import CliRunner

from apollo_core.errors import BadInput
from orchestrator.cli import app
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.roster_questions import parameters, questions_of
from orchestrator.roster_run import run_roster
from orchestrator.run import RunOptions
from orchestrator.spec.roster_file import load_roster
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.gc import orphans
from orchestrator.store.known_sweep import known_sweep
from orchestrator.store.store import Store
from orchestrator.watching.progress import make_progress

VIDEO = Path(__file__).parents[1] / "data" / "nasa_13013.mp4"
ROSTER = """
name: others
models:
  qwen: {source: "SOURCE", frames_as: images, frame_side: 56}
  qwen-more:
    source: "SOURCE"
    frames_as: images
    frame_side: 56
    frames: {mode: fps, fps: 0.5, max_frames: 3}
frames: {mode: uniform, frames: 2}
data: {root: "ROOT"}
evaluation:
  - {benchmark: bench, manifest: bench.jsonl, regimes: [text, video], scoring: letters}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of two questions about one video, and a tiny Qwen2-VL."""
    folder = tmp_path_factory.mktemp("roster")
    shutil.copy(VIDEO, folder / "a.mp4")
    rows = [
        {
            "id": f"q{number}",
            "video": "a.mp4",
            "question": "which?",
            "options": options,
            "answer": "B",
            "category": "c",
        }
        for number, options in enumerate((("red", "blue"), ("1", "2", "3", "4")))
    ]
    (folder / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tiny_qwen2_vl(folder / "qwen")
    return folder


def written(place: Path, folder: Path, change: Callable[[str], str] = str) -> Path:
    text = ROSTER.replace("SOURCE", str(place / "qwen")).replace("ROOT", str(place))
    path = folder / "others.yaml"
    path.write_text(change(text))
    return path


def run(path: Path, store: Store):
    return run_roster(
        load_roster(path),
        store,
        source=path.read_text(),
        engine=LocalEngine(),
        options=RunOptions(one_at_a_time=True),
        progress=make_progress(),
    )


def test_models_of_others_stand_in_the_item_table_and_are_asked_once(
    place: Path, tmp_path: Path
) -> None:
    path, store = written(place, tmp_path), Store(tmp_path / "store")
    summary, record = run(path, store)
    assert (summary.done, summary.wanted, summary.exit_code) == (2, 2, 0)
    assert known_sweep(path, store) == record == known_sweep(Path("others"), store)
    assert not orphans(store)
    table = tmp_path / "items.csv"
    command = ["evaluate", str(path), "--engine", "local", "--store", str(store.root)]
    found = CliRunner().invoke(app, [*command, "--items", str(table)])
    assert found.exit_code == 0
    assert "2 before, 0 now" in found.output
    assert "bench/video" in found.output
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {(row["design"], row["scale"]) for row in rows} == {
        ("qwen", "external"),
        ("qwen-more", "external"),
    }
    assert {row["regime"] for row in rows} == {"video", "text"}
    assert len(rows) == 8


def test_keys_follow_weights_and_frames_and_not_where_or_how_fast(
    place: Path, tmp_path: Path
) -> None:
    def keys(change: Callable[[str], str] = str) -> list[str]:
        roster = load_roster(written(place, tmp_path, change))
        asked = questions_of(roster, Store(tmp_path / "store"))
        return [each.task.key for each in asked]

    first = keys()
    assert len(set(first)) == 2
    execution = "execution: {micro_batch: 3, workers: 0, threads: 2}\n"
    elsewhere = f"source: {place / 'copy'}, resources: {{cpus: 4}}, size: 7"
    shutil.copytree(place / "qwen", place / "copy")
    assert keys(lambda text: text + execution) == first
    assert keys(lambda text: text.replace(f'source: "{place / "qwen"}"', elsewhere, 1)) == first
    assert keys(lambda text: text.replace("frame_side: 56}", "frame_side: 57}"))[0] != first[0]
    assert keys(lambda text: text.replace("frames: 2}", "frames: 3}"))[0] != first[0]
    with (place / "copy" / "preprocessor_config.json").open("a") as file:
        file.write("\n")
    assert keys(lambda text: text.replace(str(place / "qwen"), str(place / "copy")))[0] != first[0]


def test_parameters_are_counted_from_the_weights_headers(place: Path) -> None:
    from safetensors.torch import load_file

    tensors = load_file(place / "qwen" / "model.safetensors")
    assert parameters(place / "qwen") == sum(tensor.numel() for tensor in tensors.values())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("frames_as: images", "frames_as: movie", "models.qwen.frames_as: 'movie' is not allowed"),
        ("mode: uniform", "mode: all", "frames: 'all' is not allowed"),
        ("scoring: letters", "scoring: letter", "Did you mean 'letters'?"),
        ('source: "', 'source: "org', "is no local path"),
        ('source: "', 'source: "models', "write './models"),
        ("regimes:", "sampling: {mode: uniform, frames: 4}, regimes:", "its own `frames`"),
        ("name: others", "name: others\nscale: {}", "scale: unknown key"),
        ("name: others", "name: others\nbase: {}\naxes: {}", "is a sweep; `apollo run`"),
        ("bench.jsonl", "bank.jsonl", "bank.jsonl is not there"),
        ('qwen"', 'qwan"', "models.qwen.source: .*holds no model"),
    ],
)
def test_a_roster_that_is_wrong_is_refused_with_the_key_and_what_is_allowed(
    place: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = written(place, tmp_path, lambda text: text.replace(old, new, 1))
    with pytest.raises(BadInput, match=said):
        questions_of(load_roster(path), Store(tmp_path / "store"))


def test_a_roster_given_as_a_sweep_is_told_from_one(place: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a roster; `apollo evaluate`"):
        load_sweep(written(place, tmp_path))


def test_a_model_that_cannot_be_loaded_is_named_before_anything_starts(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "qwen", tmp_path / "dumb")
    (tmp_path / "dumb" / "chat_template.jinja").unlink()
    path = written(place, tmp_path, lambda text: text.replace('qwen"', '../dumb"', 1))
    path.write_text(path.read_text().replace(str(place / ".." / "dumb"), str(tmp_path / "dumb")))
    with pytest.raises(BadInput, match=r"models.qwen: .*no chat template"):
        run(path, Store(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda whole: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "git-lfs"),
        (lambda whole: b"", "is cut off"),
        (lambda whole: whole[:5], "is cut off"),
        (lambda whole: whole[:200], "is cut off"),
        (lambda whole: whole[: len(whole) // 2], "is cut off"),
        (lambda whole: whole[:-1], "is cut off"),
        (lambda whole: b"\xff" * 64, "is cut off"),
        (lambda whole: whole[:8] + b"[" + whole[9:], "is cut off"),
    ],
)
def test_weights_that_are_not_whole_are_named_before_anything_starts(
    place: Path, tmp_path: Path, broken: Callable[[bytes], bytes], says: str
) -> None:
    shutil.copytree(place / "qwen", tmp_path / "cut")
    file = tmp_path / "cut" / "model.safetensors"
    file.write_bytes(broken(file.read_bytes()))
    path = written(
        place, tmp_path, lambda text: text.replace(str(place / "qwen"), str(tmp_path / "cut"), 1)
    )
    with pytest.raises(BadInput, match=rf"models.qwen.source: .*model.safetensors: .*{says}"):
        run(path, Store(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_a_file_that_an_index_names_has_to_be_there(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "qwen", tmp_path / "part")
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "part" / "model.safetensors.index.json").write_text(json.dumps(index))
    path = written(
        place, tmp_path, lambda text: text.replace(str(place / "qwen"), str(tmp_path / "part"), 1)
    )
    with pytest.raises(BadInput, match=r"index.json: model-2.safetensors .* is not there"):
        questions_of(load_roster(path), Store(tmp_path / "store"))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("folder.csv", "is a folder"),
        ("items.txt", "has to end in .csv, .csv.gz, .parquet"),
        ("none/items.csv", "is no folder"),
    ],
)
def test_an_item_table_that_cannot_be_written_is_refused_before_anything_starts(
    place: Path, tmp_path: Path, name: str, says: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    store = tmp_path / "store"
    words = ["evaluate", str(written(place, tmp_path)), "--items", str(tmp_path / name)]
    found = CliRunner().invoke(app, [*words, "--store", str(store)])
    assert isinstance(found.exception, BadInput)
    assert says in str(found.exception)
    assert not store.exists()


def test_videos_that_cannot_be_shown_are_named_before_a_model_is_loaded(
    place: Path, tmp_path: Path
) -> None:
    (place / "cut.mp4").write_bytes(VIDEO.read_bytes()[:200_000])
    row = json.loads((place / "bench.jsonl").read_text().splitlines()[0])
    (place / "hard.jsonl").write_text(json.dumps(row | {"video": "cut.mp4"}))
    path = written(place, tmp_path, lambda text: text.replace("bench.jsonl", "hard.jsonl"))
    with pytest.raises(
        BadInput, match=r"1 of 1 media files.*cut\.mp4 is truncated.*bad_media: skip"
    ):
        run(path, Store(tmp_path / "store"))


def test_an_audit_takes_a_sweep_and_a_roster_together(place: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first = written(place, tmp_path)
    run(first, store)
    second = tmp_path / "more.yaml"
    second.write_text(
        first.read_text().replace("name: others", "name: more").replace("  qwen", "  other")
    )
    run(second, store)
    out = tmp_path / "audit"
    found = CliRunner().invoke(
        app,
        ["audit", str(first), "more", "--store", str(store.root), "--out", str(out)],
    )
    assert found.exit_code == 0, found.output
    page = (out / "audit.html").read_text()
    assert "Benchmark audit of others and more" in page
    document = json.loads((out / "audit.json").read_text())
    assert document["provenance"]["sweep"] == "others, more"
