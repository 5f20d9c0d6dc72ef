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
    found = plan_decoding(plan, {}, frame=0.005)
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
    quick, slow = (plan_decoding(plan, {}, frame=each * equal) for each in (0.9, 3.0))
    assert align not in quick.slower(cost)
    assert align in slow.slower(cost)
    assert slow.stages[align].least_decoders(learns) == pytest.approx(6)


def test_what_is_kept_of_every_encoder_is_not_decoded_again(tmp_path):
    plan = planned(tmp_path, LONG)
    align, kept = step(plan, "align"), EncoderKeys(video="a", still="b")
    whole = plan_decoding(plan, {align: (kept, kept)})
    part = plan_decoding(plan, {align: (kept, EncoderKeys(video="c"))})
    assert whole.stages[align].frames == 0
    assert part.stages[align].frames == FRAMES


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
