"""What a plan says of decoding beside learning."""

import json
import sys

import pytest
from small_sweep import planned, write

from apollo_core.features.feature_use import EncoderKeys
from orchestrator.cli import main
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.decoding import plan_decoding
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.decoding_view import decoding_lines

# 64 samples of one-minute videos, 2 frames a second: 16 s in 8 clips of 4 frames at most.
LONG = {
    "data/microworld": None,
    "data/root": "/nowhere",
    "base/sampling/max_clips": 8,
    "execution": {"workers": 2, "feature_cache": "off"},
}
FRAMES = 64 * 8 * 4


def step(plan, name):
    return plan.variant("base@xs#0").steps[name]


def test_frames_are_those_that_a_stage_looks_at_and_pictures_are_one(tmp_path):
    plan = planned(tmp_path, LONG)
    found = plan_decoding(plan, {}, store=tmp_path, frame=0.005)
    align, sft = found.stages[step(plan, "align")], found.stages[step(plan, "sft")]
    assert (align.frames, align.decoders) == (FRAMES, 2)
    assert align.seconds == FRAMES * 0.005 / 2
    assert sft.frames == pytest.approx(0.6 * FRAMES + 0.4 * 64)


def test_stages_that_decode_for_longer_than_they_learn_are_named_the_slowest_first(tmp_path):
    plan = planned(tmp_path, LONG)
    flops = plan_flops(plan)
    cost = plan_cost(plan, flops, Speeds(cpu=1e9, gpu=1e14, cpu_source="", gpu_source=""))
    align = step(plan, "align")
    learns = cost.stages[align].seconds
    equal = learns * 2 / FRAMES
    quick, slow = (
        plan_decoding(plan, {}, store=tmp_path, frame=each * equal) for each in (0.9, 3.0)
    )
    assert align not in quick.slower(cost)
    assert align in slow.slower(cost)
    assert slow.stages[align].least_decoders(learns) == pytest.approx(6)


def test_nobody_is_told_to_start_decoders_to_save_seconds(tmp_path):
    plan = planned(tmp_path, LONG)
    cost = plan_cost(plan, plan_flops(plan), Speeds(1e12, 1e14, cpu_source="", gpu_source=""))
    for frame, advised in ((0.001, False), (0.1, True)):
        decoding = plan_decoding(plan, {}, store=tmp_path, frame=frame)
        assert decoding.slower(cost)
        lines = list(decoding_lines(plan, cost, decoding))
        assert any("workers" in line for line in lines) is advised
        assert lines[0].startswith("Decoding: ")


def test_what_is_kept_of_every_encoder_is_not_decoded_again(tmp_path):
    plan = planned(tmp_path, LONG)
    align, kept = step(plan, "align"), EncoderKeys(video="a", still="b")
    whole = plan_decoding(plan, {align: (kept, kept)}, store=tmp_path)
    part = plan_decoding(plan, {align: (kept, EncoderKeys(video="c"))}, store=tmp_path)
    assert whole.stages[align].frames == 0
    assert part.stages[align].frames == FRAMES


def finish(store, key, *, seconds, waited, hits=0, misses=0):
    """Leave what a training stage of 8 steps leaves of its pace."""
    folder = store / "stages" / key
    folder.mkdir(parents=True, exist_ok=True)
    step = {"steps": 8, "seconds": seconds, "data_seconds": waited}
    step |= {"feature_hits": hits, "feature_misses": misses}
    lines = [json.dumps({"step": at + 1, **step}) for at in range(8)]
    (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "DONE").touch()


def test_a_stage_that_waited_for_its_data_tells_how_long_a_frame_takes(tmp_path):
    plan = planned(tmp_path, LONG)
    align = step(plan, "align")
    assert plan_decoding(plan, {}, store=tmp_path).source == "assumed"
    finish(tmp_path, align, seconds=4.0, waited=3.0)
    found = plan_decoding(plan, {}, store=tmp_path)
    assert found.frame == pytest.approx(8 * 4.0 * 2 / FRAMES)
    assert found.source == "median of 1 finished stages"
    # Of media whose features were found nothing was decoded.
    finish(tmp_path, align, seconds=4.0, waited=3.0, hits=30, misses=10)
    assert plan_decoding(plan, {}, store=tmp_path).frame == pytest.approx(4 * found.frame)


def test_a_stage_that_did_not_wait_bounds_how_long_a_frame_takes(tmp_path):
    plan = planned(tmp_path, LONG)
    finish(tmp_path, step(plan, "align"), seconds=0.1, waited=0.0)
    found = plan_decoding(plan, {}, store=tmp_path)
    assert found.frame == pytest.approx(8 * 0.1 * 2 / FRAMES)
    assert found.source == "at most, by 1 finished stages"
    finish(tmp_path, step(plan, "align"), seconds=60.0, waited=0.0)
    assert plan_decoding(plan, {}, store=tmp_path).source == "assumed"


def test_a_stage_of_few_frames_tells_nothing_of_decoding(tmp_path):
    few = planned(tmp_path, LONG | {"data/mean_seconds": 1})
    finish(tmp_path, step(few, "align"), seconds=4.0, waited=3.0)
    assert plan_decoding(few, {}, store=tmp_path).stages[step(few, "align")].frames == 256
    assert plan_decoding(few, {}, store=tmp_path).source == "assumed"


def test_the_start_of_the_decoders_is_not_taken_for_decoding(tmp_path):
    plan = planned(tmp_path, LONG)
    align = step(plan, "align")
    finish(tmp_path, align, seconds=4.0, waited=3.0)
    usual = plan_decoding(plan, {}, store=tmp_path).frame
    metrics = tmp_path / "stages" / align / "metrics.jsonl"
    first, *others = metrics.read_text().splitlines()
    slow = json.loads(first) | {"seconds": 900.0, "data_seconds": 899.0}
    metrics.write_text("\n".join([json.dumps(slow), *others]) + "\n")
    assert plan_decoding(plan, {}, store=tmp_path).frame == pytest.approx(usual)
    metrics.write_text(json.dumps(slow | {"steps": 1}) + "\n")
    assert plan_decoding(plan, {}, store=tmp_path).source == "assumed"


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """What `apollo plan` says of the sweep with these options."""
    sweep = write(tmp_path, LONG)

    def call(*options):
        words = ["apollo", "plan", str(sweep), "--store", str(tmp_path / "store"), *options]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        return capsys.readouterr().out

    return call


def test_a_plan_says_where_decoding_is_the_bottleneck_and_how_many_workers_would_do(told):
    slow = told("--decode-ms", "100000")
    assert "frames at 1e+05 ms of a processor each (as given; --decode-ms)" in slow
    assert "would wait for it, most of all" in slow
    assert "with 2 decoders for" in slow
    stages = json.loads(told("--json", "--decode-ms", "0.001"))["stages"]
    assert {stage["frames"] for stage in stages if stage["kind"] == "align"} == {FRAMES, 64 * 8}
