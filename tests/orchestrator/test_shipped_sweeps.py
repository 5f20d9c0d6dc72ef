import csv
from collections import Counter
from pathlib import Path

import pytest
from small_sweep import training

from orchestrator.graph import build_plan
from orchestrator.sweep_file import load_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"


@pytest.fixture(scope="module")
def plan_of():
    return lambda name: build_plan(load_sweep(SWEEPS / f"{name}.yaml"), store=Path("no-store"))


def test_the_study_is_21_designs_by_4_scales_over_six_axes(plan_of):
    plan = plan_of("apollo84")
    assert len(plan.variants) == 84
    assert len({variant.design for variant in plan.variants}) == 21
    levels = {axis: len(levels) for axis, levels in plan.sweep.axes.items()}
    assert levels == {
        "sampling": 5,
        "encoders": 5,
        "resampler": 2,
        "integration": 3,
        "schedule": 3,
        "mixture": 2,
    }
    assert {"internvideo2-1b", "vjepa-huge", "conv_avg"} <= set(plan.not_yet)


def test_the_studys_language_models_are_trained_at_the_rates_of_table_7(plan_of):
    plan = plan_of("apollo84")
    rates = {
        (variant.scale, training(plan, variant.steps["sft"]).lr.llm) for variant in plan.variants
    }
    assert rates == {
        ("qwen2-0.5b", 5e-5),
        ("qwen2-1.5b", 5e-5),
        ("qwen1.5-4b", 2e-5),
        ("qwen2-7b", 1e-5),
    }


def test_every_sft_of_the_study_sees_750000_samples(plan_of):
    plan = plan_of("apollo84")
    assert {training(plan, v.steps["sft"]).samples for v in plan.variants} == {750_000}


def test_the_papers_own_84_are_7_configurations_by_3_mixtures_by_4_models(plan_of):
    plan = plan_of("paper_appendix_d")
    assert len(plan.variants) == 84
    counts = Counter(variant.levels["configuration"] for variant in plan.variants)
    assert set(counts.values()) == {12}
    assert len(counts) == 7


@pytest.mark.parametrize("name", ["apollo84", "paper_appendix_d"])
def test_sft_sees_the_clips_of_table_7_and_no_model_is_asked_about_more(plan_of, name):
    plan = plan_of(name)
    for variant in plan.variants:
        sft = training(plan, variant.steps["sft"]).sampling
        (key,) = variant.evaluations.values()
        asked = plan.stages[key].identity.sampling
        if sft.mode == "uniform":
            assert asked == sft
            continue
        assert sft.max_clips == (150 if variant.scale == "qwen2-7b" else 200)
        assert asked.max_clips == 150
        if "align" in variant.steps:
            align = training(plan, variant.steps["align"]).sampling
            assert align.mode == "fps"
            assert align.max_clips == 25


def test_the_papers_configurations_have_its_tokens_per_clip_and_frames_per_second(plan_of):
    table = Path(__file__).parents[1] / "data" / "apollo_table14_15.csv"
    with table.open(newline="", encoding="utf-8") as file:
        printed = {row["variant"]: row for row in csv.DictReader(file)}
    for variant in plan_of("paper_appendix_d").variants:
        name = variant.levels["configuration"].replace("base", "a1")
        sampling, row = variant.resolved.sampling, printed[name]
        tokens = variant.resolved.resampler.tokens_per_frame * sampling.frames_per_clip
        assert tokens == int(row["tokens_per_clip"])
        assert sampling.fps == float(row["fps"])
        assert sampling.frames_per_clip / sampling.fps == pytest.approx(
            float(row["clip_duration_s"])
        )


def test_the_demo_is_ready_to_run(plan_of):
    plan = plan_of("demo")
    plan.require_runnable()
    assert len(plan.sweep.scales) >= 3
    assert plan.sweep.base.sampling.mode == "fps"
