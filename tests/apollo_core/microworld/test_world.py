"""The folder that `generate` makes: real files, the same each time, never mixed with others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
from PIL import Image
from pydantic import ValidationError

from apollo_core.errors import BadInput
from apollo_core.microworld.chance import Split
from apollo_core.microworld.film import plan_film
from apollo_core.microworld.world import WorldSpec, generate

COUNTS = (
    *("train_videos", "bench_videos", "images", "multi_images", "texts", "corpus"),
    *("pretrain_images", "pretrain_videos"),
)


def contents(root: Path) -> dict[str, bytes]:
    """Every file's bytes by its path under `root`."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def rows(path: Path) -> list[dict[str, object]]:
    """The rows of a manifest."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def media_of(row: dict[str, object]) -> Iterator[str]:
    """The media paths that a row names."""
    for key in ("video", "image"):
        if key in row:
            yield str(row[key])
    images = row.get("images", [])
    assert isinstance(images, list)
    yield from images


@pytest.mark.parametrize("size", [48, 64])
def test_videos_are_h264_of_the_declared_size_rate_and_length(
    size: int, make_world: Callable[..., Path], small_spec: WorldSpec
) -> None:
    root = make_world(size=size, images=1, multi_images=0)
    for i in range(small_spec.train_videos):
        film, _ = plan_film(small_spec, Split.TRAIN, i)
        with av.open(str(root / f"videos/v{i:05d}.mp4")) as container:
            video = container.streams.video[0]
            assert (video.codec_context.name, video.codec_context.pix_fmt) == ("h264", "yuv420p")
            assert (video.width, video.height, video.average_rate) == (size, size, film.fps)
            times = [frame.time for frame in container.decode(video)]
        assert times == pytest.approx([i / film.fps for i in range(film.frames)], abs=1e-4)
        assert 4 <= len(times) / film.fps <= 6


def test_images_are_png_of_the_declared_size(small_world: Path) -> None:
    images = sorted((small_world / "images").glob("*.png"))
    assert len(images) >= 4 + 2 * 3
    for path in images:
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (48, 48))


def test_every_row_names_files_that_exist_and_marks_each_of_them(small_world: Path) -> None:
    manifests = sorted(small_world.glob("*.jsonl"))
    assert len(manifests) == 11
    for manifest in manifests:
        found = rows(manifest)
        assert found
        assert len({row["id"] for row in found}) == len(found)
        for row in found:
            paths = list(media_of(row))
            assert all((small_world / path).is_file() for path in paths)
            if manifest.stem != "bench":
                turns = row["conversations"]
                assert isinstance(turns, list)
                text = "".join(turn["value"] for turn in turns)
                assert text.count("<image>") + text.count("<video>") == len(paths)
                assert [turn["from"] for turn in turns] == ["human", "gpt"] * (len(turns) // 2)


def test_the_same_spec_gives_the_same_bytes(
    small_world: Path, make_world: Callable[..., Path]
) -> None:
    assert contents(make_world()) == contents(small_world)


def test_another_seed_gives_another_world(
    small_world: Path, make_world: Callable[..., Path]
) -> None:
    first, second = contents(small_world), contents(make_world(seed=1))
    assert first["videos/v00000.mp4"] != second["videos/v00000.mp4"]
    assert first["bench.jsonl"] != second["bench.jsonl"]


def test_larger_counts_keep_the_samples_that_were_there(
    small_world: Path, make_world: Callable[..., Path]
) -> None:
    grown = contents(make_world(**dict.fromkeys(COUNTS, 12)))
    for name, data in contents(small_world).items():
        if name == "alignment.jsonl":  # pictures, then films
            assert set(data.splitlines()) <= set(grown[name].splitlines())
        elif name != "world.json":
            assert grown[name].startswith(data) if name.endswith("jsonl") else grown[name] == data


def test_a_finished_world_is_left_alone(small_world: Path, small_spec: WorldSpec) -> None:
    before = {path: path.stat().st_mtime_ns for path in small_world.rglob("*")}
    calls: list[tuple[int, int]] = []
    generate(small_spec, small_world, on_progress=lambda *call: calls.append(call))
    assert {path: path.stat().st_mtime_ns for path in small_world.rglob("*")} == before
    assert calls == []


def test_progress_counts_every_file_once(tmp_path: Path) -> None:
    spec = WorldSpec(
        train_videos=1, bench_videos=1, images=2, multi_images=0, texts=0, corpus=0, max_seconds=4
    )
    calls: list[tuple[int, int]] = []
    generate(spec, tmp_path / "new" / "world", on_progress=lambda *call: calls.append(call))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_interrupted_world_is_made_anew(
    tmp_path: Path, small_world: Path, small_spec: WorldSpec
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(small_spec, tmp_path, on_progress=interrupt)
    assert not (tmp_path / "world.json").exists()
    (tmp_path / "videos/v00001.mp4").write_bytes(b"torn")
    generate(small_spec, tmp_path)
    assert contents(tmp_path) == contents(small_world)


def test_a_root_with_another_world_is_refused_and_kept(
    small_world: Path, small_spec: WorldSpec
) -> None:
    before = contents(small_world)
    other = small_spec.model_copy(update={"seed": 5})
    with pytest.raises(BadInput, match=r"another world.*seed 0 instead of 5"):
        generate(other, small_world)
    assert contents(small_world) == before


def test_a_root_with_foreign_files_is_refused_and_kept(
    tmp_path: Path, small_spec: WorldSpec
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match=r"thesis\.tex"):
        generate(small_spec, tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_root_with_an_unreadable_world_file_is_refused(
    text: str, tmp_path: Path, small_spec: WorldSpec
) -> None:
    (tmp_path / "world.json").write_text(text)
    with pytest.raises(BadInput, match="microworld root"):
        generate(small_spec, tmp_path)


def test_a_root_that_is_a_file_is_refused(tmp_path: Path, small_spec: WorldSpec) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        generate(small_spec, tmp_path / "file")


def test_two_processes_at_once_make_one_world(
    tmp_path: Path, small_world: Path, small_spec: WorldSpec
) -> None:
    script = (
        "import sys; from pathlib import Path\n"
        "from apollo_core.microworld.world import WorldSpec, generate\n"
        "generate(WorldSpec.model_validate_json(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", script, small_spec.model_dump_json(), str(tmp_path)]
    processes = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert contents(tmp_path) == contents(small_world)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("rates", [1]),
        ("rates", []),
        ("rates", [12, 8]),
        ("size", 47),
        ("size", 128),
        ("max_seconds", 17),
        ("min_seconds", 17),
        ("foo", 1),
    ],
)
def test_a_spec_out_of_bounds_is_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(ValidationError, match=field):
        WorldSpec.model_validate({field: value})


def test_the_fingerprint_names_generator_version_and_every_field(small_spec: WorldSpec) -> None:
    fingerprint = small_spec.fingerprint()
    assert fingerprint["generator"] == "microworld"
    assert {"version", *WorldSpec.model_fields} < set(fingerprint)
    assert json.loads(json.dumps(fingerprint)) == fingerprint


def test_importing_the_generator_loads_neither_torch_nor_a_codec() -> None:
    script = (
        "import sys, apollo_core.microworld.world\n"
        "sys.exit(bool({'torch', 'transformers', 'av', 'decord'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
