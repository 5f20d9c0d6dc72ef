from __future__ import annotations

import json
from pathlib import Path

import pytest

from apollo_core.errors import DataMissing
from apollo_core.media_fingerprint import media_fingerprint


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
