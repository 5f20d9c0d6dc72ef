"""Which features are kept: sizes against real files, and verdicts by budget and use."""

import json

import pytest
import torch
from small_sweep import planned, write
from typer.testing import CliRunner, Result

from apollo_core.encoders.families import build_encoder
from apollo_core.features.feature_keeper import packed
from apollo_core.features.frozen import encode_medium
from apollo_core.features.record import HowRead
from apollo_core.stages.identity import Part
from orchestrator.cli import app
from orchestrator.cost.feature_bytes import plan_features
from orchestrator.cost.speeds import Speeds
from orchestrator.cost.workload import clip_count

SLOW = Speeds(cpu=1e9, gpu=1e12, cpu_source="", gpu_source="")
FAST = Speeds(cpu=1e15, gpu=1e15, cpu_source="", gpu_source="")


def caches(folder, changes=None, speeds=SLOW):
    found = plan_features(planned(folder, changes), speeds)
    return found, {
        (each.encoder, each.view, each.sampling and each.sampling.mode): each
        for each in found.caches
    }


@pytest.mark.parametrize("name", ["siglip", "videomae"])
@pytest.mark.parametrize("view", ["video", "still"])
def test_the_bytes_of_a_clip_are_those_that_are_written(name, view, tmp_path):
    encoder = build_encoder(
        Part(family=name, fingerprint=name), f"micro:{name}", frames_per_clip=4, trained=None
    )
    frames = torch.zeros(1, 4, 48, 48, 3, dtype=torch.uint8)
    with torch.no_grad():
        grid = encode_medium(encoder, frames, still=view == "still")
    written = packed(HowRead((), 0.0, 0.0), grid)
    _, found = caches(tmp_path)
    cache = found[name, view, "fps" if view == "video" else None]
    seconds = planned(tmp_path).sweep.data.video_seconds
    clips = clip_count(cache.sampling, seconds) if cache.sampling else 1
    assert cache.bytes == cache.media * clips * len(written[-1])


def test_media_and_looks_at_them_are_counted_over_all_stages(tmp_path):
    _, found = caches(tmp_path)
    video = found["siglip", "video", "fps"]
    # Two designs sample by fps: one align of both, two sft (60 and 100 % of 64), two evaluations.
    assert (video.media, video.stages) == (4 + 4, 5)
    assert video.reads == round(64 + 0.6 * 64 + 64 + 2 * 4 + 0.5)
    still = found["siglip", "still", None]
    assert (still.stages, still.reads) == (2, round(2 * 0.4 * 64 + 0.5))
    assert still.media == 26


def test_features_are_kept_where_they_fit_and_are_read_again(tmp_path):
    kept, found = caches(tmp_path)
    assert {each.verdict for each in found.values()} == {"kept"}
    assert kept.bytes == sum(each.bytes for each in found.values())
    assert kept.budget == 20_000_000_000


def test_a_budget_is_spent_on_what_saves_most_for_a_byte(tmp_path):
    _, every = caches(tmp_path)
    best = max(every.values(), key=lambda each: each.flops / each.bytes)
    changes = {"execution": {"feature_cache": {"budget": best.bytes}}}
    kept, found = caches(tmp_path, changes)
    assert [each.verdict for each in kept.caches if each.is_kept] == ["kept"]
    assert kept.caches[0].key == best.key
    assert {each.verdict for each in found.values() if not each.is_kept} == {"does not fit"}
    for key, encoders in kept.uses.items():
        assert {one.video for one in encoders} | {one.still for one in encoders} == {"", best.key}
        assert key in planned(tmp_path, changes).stages


@pytest.mark.parametrize(
    ("changes", "speeds", "verdict"),
    [
        ({"execution": {"feature_cache": "off"}}, SLOW, "off"),
        ({"execution": {"feature_cache": "1kB"}}, SLOW, "does not fit"),
        ({}, FAST, "no faster than computing"),
    ],
)
def test_what_is_not_kept_says_why(changes, speeds, verdict, tmp_path):
    kept, found = caches(tmp_path, changes, speeds)
    assert {each.verdict for each in found.values()} == {verdict}
    assert kept.uses == {}
    assert kept.use("folder") == {}


def test_what_is_looked_at_once_is_not_kept(tmp_path):
    once = {
        "schedules/two-stage": [
            {"stage": "sft", "lr": {"llm": 1e-3}, "data": "videos", "samples": 4, "batch_size": 4}
        ],
        "axes": {"sampling": {"uniform-8": {"sampling": {"mode": "uniform", "frames": 8}}}},
        "evaluation/0/regimes": ["text"],
    }
    _, found = caches(tmp_path, once)
    assert {each.verdict for each in found.values()} == {"each is read once"}


def command(*arguments) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], env={"COLUMNS": "160"})


def test_the_plan_tells_what_is_kept(tmp_path):
    sweep = write(tmp_path)
    shown = command("plan", sweep, "--store", tmp_path / "store").stdout
    assert "Features of frozen encoders" in shown
    assert "2 fps, 4 clips" in shown
    said = json.loads(command("plan", sweep, "--store", tmp_path / "store", "--json").stdout)
    told = said["features"]
    assert told["bytes"] == sum(each["bytes"] for each in told["caches"] if each["kept"]) > 0
    assert {each["encoder"] for each in told["caches"]} == {"siglip", "videomae"}
    assert not (tmp_path / "store").exists()


def test_the_full_sized_study_does_not_fit():
    said = json.loads(command("plan", "sweeps/apollo84.yaml", "--json").stdout)["features"]
    assert said["bytes"] == 0
    largest = max(said["caches"], key=lambda each: each["bytes"])
    assert largest["bytes"] > 10**13
    assert largest["verdict"] == "does not fit"


def test_shuffled_frames_are_no_reason_to_keep_features(tmp_path):
    _, before = caches(tmp_path)
    _, after = caches(tmp_path, {"evaluation/0/regimes": ["video", "shuffled", "text"]})
    assert [each.reads for each in after.values()] == [each.reads for each in before.values()]
