from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from apollo_core.errors import BadData, BadInput
from apollo_core.media.check_media import check


def training(root: Path, *names: str) -> Path:
    def record(name: str) -> dict[str, object]:
        kind = "image" if name.endswith("png") else "video"
        turns = [{"from": "human", "value": f"<{kind}>?"}, {"from": "gpt", "value": "7"}]
        return {"id": name, kind: name, "conversations": turns}

    path = root / "manifest.jsonl"
    path.write_text("\n".join(json.dumps(record(name)) for name in names))
    return path


def benchmark(root: Path, *names: str) -> Path:
    path = root / "benchmark.jsonl"
    rest = {"question": "?", "options": ["a", "b"], "answer": "A", "category": "spatial"}
    path.write_text("\n".join(json.dumps({"id": n, "video": n, **rest}) for n in names))
    return path


def test_every_bad_file_is_found_and_sorted_by_what_is_wrong(tmp_path, nasa, audio_only, truncated):
    shutil.copy(nasa, tmp_path / "good.mp4")
    Image.new("RGB", (20, 20)).save(tmp_path / "good.png")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video")
    (tmp_path / "text.png").write_text("not an image")
    manifest = training(
        tmp_path,
        "good.mp4",
        "good.png",
        "gone.mp4",
        "empty.mp4",
        "text.mp4",
        "text.png",
        audio_only.name,
        truncated.name,
    )
    seen: list[tuple[int, int]] = []
    report = check(manifest, tmp_path, workers=2, on_progress=lambda *at: seen.append(at))
    assert (report.videos, report.images, report.usable) == (6, 2, 2)
    assert report.missing == ("gone.mp4",)
    assert report.empty == ("empty.mp4",)
    assert report.audio_only == (audio_only.name,)
    reasons = dict(report.unreadable)
    assert reasons.keys() == {"text.mp4", "text.png", truncated.name}
    assert "is truncated" in reasons[truncated.name]
    assert seen == [(i, 8) for i in range(1, 9)]
    assert json.loads(json.dumps(report.as_dict()))["missing"] == ["gone.mp4"]


def test_bad_media_are_refused_in_one_error_that_counts_and_names_them(tmp_path):
    report = check(benchmark(tmp_path, *(f"{i}.mp4" for i in range(8))), tmp_path)
    with pytest.raises(BadData, match=r"8 of 8 media files .* 0.mp4 is missing; .* and 3 more"):
        report.refuse_bad()


def test_good_media_pass(tmp_path, nasa):
    shutil.copy(nasa, tmp_path / "good.mp4")
    report = check(benchmark(tmp_path, "good.mp4"), tmp_path)
    report.refuse_bad()
    assert report.bad == ()


def test_a_file_that_hangs_is_reported_and_the_rest_is_checked(tmp_path, nasa):
    os.mkfifo(tmp_path / "hangs.mp4")
    shutil.copy(nasa, tmp_path / "good.mp4")
    report = check(training(tmp_path, "hangs.mp4", "good.mp4"), tmp_path, deadline_s=1)
    assert report.usable == 1
    assert dict(report.unreadable)["hangs.mp4"].startswith("no answer within 1 s")


def test_a_bad_manifest_is_told_before_any_file_is_opened(tmp_path):
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("{}")
    with pytest.raises(BadInput, match=r"manifest.jsonl:1: "):
        check(manifest, tmp_path)
