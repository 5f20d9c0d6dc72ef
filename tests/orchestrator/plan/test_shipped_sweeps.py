import csv
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import get_args

import pytest
from rich.console import Console
from small_sweep import training

from apollo_core.catalogue import ENCODERS, INTEGRATIONS, JOININGS, RESAMPLERS
from apollo_core.design import Integration
from apollo_core.schedules import NAMED
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.model_sizes import ModelSizes, trained_parameters
from orchestrator.cost.planned_memory import plan_memory
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan_view import show_plan
from orchestrator.spec.sweep_file import load_sweep

SWEEPS = Path(__file__).parents[3] / "sweeps"


def table(name):
    path = Path(__file__).parents[2] / "data" / name
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def counted(printed):
    """A count as the paper prints it: 38.4M, 198K."""
    return float(printed[:-1]) * {"K": 1e3, "M": 1e6, "B": 1e9}[printed[-1]]


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


def test_the_study_names_all_its_encoders_resamplers_integrations_and_more(plan_of):
    designs = [variant.resolved for variant in plan_of("apollo84").variants]
    assert {encoder for design in designs for encoder in design.encoders} == {
        "siglip-so400m",
        "dinov2-large",
        "languagebind-image",
        "videomae-large",
        "vjepa-huge",
        "languagebind-video",
        "internvideo2-1b",
    }
    assert {design.resampler.kind for design in designs} == {"perceiver", "mlp_avg", "conv_avg"}
    assert {design.integration for design in designs} == set(get_args(Integration)) - {"seconds"}
    assert len({design.schedule for design in designs}) == 4
    assert len({design.mixture for design in designs}) == 3


@pytest.mark.parametrize("path", sorted(SWEEPS.glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_that_a_shipped_sweep_names_is_not_built_yet(plan_of, path):
    assert plan_of(path.stem).not_yet == ()


def test_what_goes_beyond_the_study_is_named_too(plan_of):
    designs = [variant.resolved for variant in plan_of("beyond").variants]
    assert {"clip-large", "siglip2-so400m", "vjepa2-large"} <= {
        encoder for design in designs for encoder in design.encoders
    }
    assert {"attention_pool", "qformer"} <= {design.resampler.kind for design in designs}
    assert any(getattr(design.resampler, "text", False) for design in designs)
    assert {"seconds"} <= {design.integration for design in designs}
    assert {"split"} <= {design.joining for design in designs}
    assert any(design.memory for design in designs)


def test_the_study_and_beyond_together_name_every_level_that_the_project_knows(plan_of):
    plans = [plan_of("apollo84"), plan_of("beyond")]
    designs = [variant.resolved for plan in plans for variant in plan.variants]
    assert {encoder for design in designs for encoder in design.encoders} == set(ENCODERS)
    assert {design.resampler.kind for design in designs} == set(RESAMPLERS)
    assert {design.integration for design in designs} == set(INTEGRATIONS)
    assert {design.joining for design in designs} == set(JOININGS)
    presets = {
        getattr(plan.sweep.schedules[variant.resolved.schedule], "preset", None)
        for plan in plans
        for variant in plan.variants
    }
    assert presets == set(NAMED)


@pytest.mark.parametrize("name", ["apollo84", "beyond"])
def test_a_models_rate_in_sft_is_the_same_in_every_schedule(plan_of, name):
    plan = plan_of(name)
    rates = {
        (variant.scale, training(plan, variant.steps["sft"]).lr.llm) for variant in plan.variants
    }
    assert len(rates) == len(plan.sweep.scales)


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


STAGES = {"align": "align", "vision_pretrain": "vision", "sft": "sft"}


@pytest.mark.parametrize(
    "row", table("apollo_table07.csv"), ids=lambda row: f"{row['stage']}-{row['model']}"
)
def test_the_apollo_family_is_trained_as_table_7_has_it(plan_of, row):
    plan = plan_of("apollo_family")
    variant = plan.variant(f"base@apollo-{row['model'].lower()}#0")
    stage = training(plan, variant.steps[STAGES[row["stage"]]])
    assert dict(stage.lr) == {
        module: float(row[f"lr_{module}"]) for module in ("vision", "connector", "llm")
    }
    assert stage.batch_size == int(row["batch_size"])
    assert stage.samples == counted(row["n_samples"])
    assert stage.sampling.mode == "fps"
    assert stage.sampling.max_clips == int(row["max_clips"])
    assert stage.sampling.fps == float(row["fps"])
    assert stage.model.resampler.tokens_per_frame == int(row["tpf"])
    assert stage.sampling.fps * stage.model.resampler.tokens_per_frame == int(row["tps"])


@pytest.mark.parametrize("model", ["1.5B", "3B", "7B"])
def test_the_apollo_familys_parameters_are_those_of_table_7(plan_of, model):
    plan = plan_of("apollo_family")
    variant = plan.variant(f"base@apollo-{model.lower()}#0")
    modules = ModelSizes.of(plan, variant).parameters()
    trained = trained_parameters(plan, variant)
    for row in (row for row in table("apollo_table07.csv") if row["model"] == model):
        for module, count in modules.items():
            if row[f"params_{module}"]:
                assert count == pytest.approx(counted(row[f"params_{module}"]), rel=0.01)
        parts = [row[f"params_{module}"] for module in modules if row[f"params_{module}"]]
        total = sum(counted(part) for part in parts)
        assert trained[STAGES[row["stage"]]] == pytest.approx(total, rel=0.01)


def shown(plan):
    speeds = Speeds(cpu=1e9, gpu=1e12, cpu_source="given", gpu_source="given")
    console = Console(width=80, record=True, file=StringIO())
    cost = plan_cost(plan, plan_flops(plan), speeds)
    show_plan(console, plan, cost, plan_memory(plan, device=80e9), device=80e9)
    return console.export_text()


def test_the_plan_shows_what_each_stage_of_the_family_trains(plan_of):
    lines = shown(plan_of("apollo_family")).splitlines()
    row = next(line.replace("\u2502", " ").split() for line in lines if "apollo-7b" in line)
    assert row == ["apollo-7b", "1.40B", "177M", "7.62B", "177M", "1.58B", "7.79B"]


def test_the_plan_names_every_answer_whatever_its_level_is_called(plan_of):
    text = shown(plan_of("apollo84"))
    for name in ("languagebind-image", "perceiver", "two-stage-frozen-vision", "7/0/0/93"):
        assert name in text


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
    printed = {row["variant"]: row for row in table("apollo_table14_15.csv")}
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


NAMES = {
    "DINOv2": "dinov2-large",
    "LanguageBind-Image": "languagebind-image",
    "SigLIP-SO400M": "siglip-so400m",
    "VideoMAE": "videomae-large",
    "V-JEPA": "vjepa-huge",
    "LanguageBind-Video": "languagebind-video",
    "InternVideo2": "internvideo2-1b",
}


def designs(plan):
    """Each design of a sweep on one scale, by its row where its level is called so."""
    assert len(plan.sweep.scales) == 1
    return {next(iter(variant.levels.values())): variant for variant in plan.variants}


def by_row(plan, base):
    """Number of a row -> its variant; `base` is the base's."""
    found = designs(plan)
    return {
        str(base) if level == "base" else level.removeprefix("row-"): variant
        for level, variant in found.items()
    }


def test_the_sweep_of_encoders_is_table_9_row_by_row(plan_of):
    found = by_row(plan_of("paper_table9"), 19)
    assert {row: set(variant.resolved.encoders) for row, variant in found.items()} == {
        row["row"]: {NAMES[name] for name in row["encoders"].split("+")}
        for row in table("apollo_table09.csv")
    }


def test_the_sweep_of_frames_and_tokens_is_table_10(plan_of):
    found = [
        (variant.resolved.sampling.fps, variant.resolved.resampler.tokens_per_frame)
        for variant in plan_of("paper_table10").variants
    ]
    rows = table("apollo_table10.csv")
    assert sorted(found) == sorted((float(row["fps"]), float(row["tpf"])) for row in rows)
    for row in rows:
        assert float(row["tps"]) == float(row["fps"]) * float(row["tpf"])


def test_the_sweep_of_uniform_frames_is_table_11_as_designs_asked_in_two_ways(plan_of):
    plan = plan_of("paper_table11")
    found = []
    for variant in plan.variants:
        frames = variant.resolved.sampling.frames
        for name, key in variant.evaluations.items():
            asked = plan.stages[key].identity.sampling
            mode = f"fps{asked.fps:g}" if asked.mode == "fps" else str(asked.frames)
            assert (name == "at_fps2") == (asked.mode == "fps")
            found.append((str(frames), mode))
    rows = table("apollo_table11.csv")
    assert sorted(found) == sorted((row["train_uniform_frames"], row["test_mode"]) for row in rows)


def test_the_sweep_of_schedules_is_table_12_row_by_row(plan_of):
    plan = plan_of("paper_table12")
    found = by_row(plan, 13)
    rows = {row.pop("row"): row for row in table("apollo_table12.csv")}
    assert set(found) == set(rows)
    for number, variant in found.items():
        stages = [training(plan, key).lr for key in variant.steps.values()]
        rates = {
            f"s{at}_lr_{module}": rate
            for at, lr in enumerate(stages, start=1)
            for module, rate in lr
        }
        assert rates == {name: float(rate) for name, rate in rows[number].items() if rate}


def test_the_sweep_of_mixtures_is_table_13_row_by_row(plan_of):
    found = by_row(plan_of("paper_table13"), 2)
    assert {row: variant.resolved.mixture.shares() for row, variant in found.items()} == {
        row["row"]: {
            name: float(row[f"{name}_pct"]) for name in ("text", "image", "multi_image", "video")
        }
        for row in table("apollo_table13.csv")
    }


def test_micro84_with_seeds_is_micro84_and_two_seeds_more(plan_of):
    alone, seeded = plan_of("micro84"), plan_of("micro84_seeds")
    assert {variant.seed for variant in seeded.variants} == {0, 1, 2}
    first = [variant for variant in seeded.variants if variant.seed == 0]
    assert [variant.stages for variant in first] == [variant.stages for variant in alone.variants]


@pytest.mark.parametrize(
    "name", ["micro_samples", "micro_tps_fps", "micro_schedules", "micro_mixture"]
)
def test_the_laboratorys_other_studies_share_parts_and_what_comes_before_sft(plan_of, name):
    study = plan_of("micro84").stages
    shared = [study[key] for key in plan_of(name).stages.keys() & study.keys()]
    assert any(node.identity.kind == "pretrain" for node in shared)
    trained = [set(n.identity.lr.trained()) for n in shared if n.identity.kind == "train"]
    assert {"connector"} in trained
    assert {"vision", "connector"} in trained
