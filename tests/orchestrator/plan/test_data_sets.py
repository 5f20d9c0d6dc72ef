import json

import pytest
from small_sweep import planned

from apollo_core.microworld.world import WorldSpec, generate
from orchestrator.plan.data_sets import WORLD_MANIFESTS, find_manifest
from orchestrator.spec.data_types import Data, DataSet

RECORD = {
    "id": "a",
    "video": "clip.mp4",
    "conversations": [
        {"from": "human", "value": "<video>\nWhat moves?"},
        {"from": "gpt", "value": "A ball."},
    ],
}


def data(tmp_path, **fields):
    return Data(root=str(tmp_path), sets={"s": DataSet(manifest="m.jsonl")}, **fields)


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"12345")
    path = tmp_path / "m.jsonl"
    path.write_text(json.dumps(RECORD) + "\n")
    return path


def test_a_manifest_is_fingerprinted_with_its_medias_sizes(tmp_path, manifest):
    one = find_manifest(data(tmp_path), "m.jsonl", tmp_path)
    assert one.fingerprint.startswith("manifest:")
    assert one.location == str(manifest)
    (tmp_path / "clip.mp4").write_bytes(b"123456")
    assert find_manifest(data(tmp_path), "m.jsonl", tmp_path) != one


def test_an_absent_manifest_or_file_is_provisional(tmp_path, manifest):
    (tmp_path / "clip.mp4").unlink()
    assert find_manifest(data(tmp_path), "m.jsonl", tmp_path).provisional
    manifest.unlink()
    assert find_manifest(data(tmp_path), "m.jsonl", tmp_path).provisional


def test_an_absent_file_that_is_to_be_skipped_is_part_of_the_content(tmp_path, manifest):
    whole = find_manifest(data(tmp_path, bad_media="skip"), "m.jsonl", tmp_path)
    (tmp_path / "clip.mp4").unlink()
    less = find_manifest(data(tmp_path, bad_media="skip"), "m.jsonl", tmp_path)
    assert not whole.provisional
    assert not less.provisional
    assert whole != less


def test_a_generated_worlds_fingerprints_are_known_before_it_is_there(tmp_path):
    plan = planned(tmp_path)
    assert not plan.media_root.exists()
    names = {name for node in plan.stages.values() for name in node.locations if "world:" in name}
    assert len(names) == 5


def test_the_names_of_a_worlds_manifests_are_those_that_it_writes(tmp_path):
    spec = WorldSpec(train_videos=0, bench_videos=0, images=0, multi_images=0, texts=1, corpus=1)
    generate(spec, tmp_path / "world")
    assert {path.name for path in (tmp_path / "world").glob("*.jsonl")} == set(WORLD_MANIFESTS)


QUESTION = {
    "id": "q", "video": "clip.mp4", "question": "?", "options": ["x", "y"], "answer": "A",
    "category": "c",
}  # fmt: skip


def test_the_format_of_a_benchmark_is_looked_up_and_ours_changes_no_fingerprint(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"12345")
    (tmp_path / "own.jsonl").write_text(json.dumps(QUESTION) + "\n")
    own = find_manifest(data(tmp_path), "own.jsonl", tmp_path, "auto")
    assert own.form == "items"
    assert own == find_manifest(data(tmp_path), "own.jsonl", tmp_path)
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "v.mp4").write_bytes(b"1")
    asked = {"id": 0, "question": "?", "options": ["a", "b"], "answer_id": 1, "area": "physics"}
    public = tmp_path / "public.json"
    public.write_text(json.dumps({"v": {"metadata": {}, "mc_question": [asked]}}))
    found = find_manifest(data(tmp_path), "public.json", tmp_path, "auto")
    assert (found.form, found.provisional) == ("perception_test", False)
    (tmp_path / "videos" / "v.mp4").unlink()
    lacking = find_manifest(data(tmp_path), "public.json", tmp_path, "auto")
    assert lacking.provisional
    assert "videos/v.mp4" in lacking.lacks
    absent = find_manifest(data(tmp_path), "none.json", tmp_path, "mlvu")
    assert (absent.form, absent.provisional) == ("mlvu", True)
