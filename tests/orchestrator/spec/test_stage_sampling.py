from typing import Any

import pytest
from pydantic import ValidationError
from small_sweep import planned, training, write

from apollo_core.design import Design, FpsSampling, MlpAvgResampler, Sampling, UniformSampling
from apollo_core.errors import BadInput
from orchestrator.plan.explain import explain_one
from orchestrator.spec.merging import stage_sampling
from orchestrator.spec.schedule_types import PartialSampling
from orchestrator.spec.sweep_file import load_sweep

FPS = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=25)
UNIFORM = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)


def design(sampling: Sampling) -> Design:
    return Design(
        encoders=("siglip-so400m",),
        sampling=sampling,
        resampler=MlpAvgResampler(kind="mlp_avg", tokens_per_frame=16),
        integration="plain",
        schedule="three-stage",
        mixture="videos",
    )


def changed(sampling: Sampling, base: Sampling = FPS, **asked):
    return stage_sampling(PartialSampling(**asked), design(sampling), base)


def test_nothing_asked_is_the_designs_sampling():
    assert stage_sampling(None, design(UNIFORM), FPS) == UNIFORM


def test_a_stage_changes_what_it_names():
    assert changed(FPS, max_clips=5) == FPS.model_copy(update={"max_clips": 5})


def test_a_key_that_another_mode_owns_has_no_effect_while_the_mode_stays():
    assert changed(UNIFORM, max_clips=5) == UNIFORM


def test_another_mode_keeps_the_designs_clip_length():
    eight = FPS.model_copy(update={"frames_per_clip": 8})
    assert changed(eight, mode="uniform", frames=32).frames_per_clip == 8


def test_another_mode_takes_what_the_design_lacks_from_the_base():
    assert changed(UNIFORM, mode="fps", fps=1) == FPS.model_copy(update={"fps": 1.0})


def test_what_neither_gives_is_missing():
    with pytest.raises(ValidationError, match="max_clips"):
        changed(UNIFORM, base=UNIFORM, mode="fps", fps=1)


def test_a_clip_length_that_the_model_is_not_built_for_is_refused():
    with pytest.raises(ValueError, match="differs from the design's 4"):
        changed(FPS, frames_per_clip=8)


def test_a_budget_of_tokens_is_one_of_the_designs_clips():
    assert changed(FPS, max_tokens=700) == FPS.model_copy(update={"max_clips": 10})
    assert changed(UNIFORM, mode="fps", fps=1, max_tokens=128) == FPS.model_copy(
        update={"fps": 1.0, "max_clips": 2}
    )
    assert changed(UNIFORM, max_tokens=700) == UNIFORM


def test_a_budget_of_tokens_without_room_for_a_clip_is_refused():
    with pytest.raises(ValueError, match="no room for one clip of tokens_per_clip=64"):
        changed(FPS, max_tokens=63)


def test_two_budgets_are_one_too_many():
    with pytest.raises(ValidationError, match="two ways to say one budget"):
        PartialSampling(max_clips=3, max_tokens=64)


def test_a_budget_that_does_not_fit_every_design_is_told_at_its_stage(tmp_path):
    path = write(tmp_path, {"schedules/two-stage/0/sampling": {"max_tokens": 8}})
    with pytest.raises(BadInput, match=r"schedules.two-stage.0.sampling: .* design base"):
        load_sweep(path)


def test_a_scale_replaces_one_sort_of_budget_by_the_other(tmp_path):
    changes = {
        "schedules/two-stage/0/sampling": {"max_clips": 3},
        "scales/xs/overrides": {
            "schedules": {"two-stage": {"align": {"sampling": {"max_tokens": 32}}}}
        },
    }
    plan = planned(tmp_path, changes)
    sampling = training(plan, plan.variants[0].stages[-3]).sampling
    assert isinstance(sampling, FpsSampling)
    assert sampling.max_clips == 2


def samplings(plan, identifier):
    """Sampling of each training stage and evaluation of a variant, by step, as explained."""
    found = {}
    stages: Any = explain_one(plan, identifier)["stages"]
    for step in stages:
        fields = step["fields"]
        found[step["step"]] = {
            name.removeprefix("sampling."): value
            for name, value in fields.items()
            if name.startswith("sampling.")
        }
    return {step: sampling for step, sampling in found.items() if sampling}


def test_stages_and_evaluations_that_ask_for_nothing_see_exactly_the_designs_sampling(tmp_path):
    plan = planned(tmp_path)
    for variant in plan.variants:
        identities = [plan.stages[key].identity for key in variant.stages]
        seen = [one.sampling for one in identities if one.kind != "pretrain"]
        assert seen == [variant.resolved.sampling] * 3


def test_a_sampling_that_a_stage_or_an_evaluation_asks_for_is_shown_and_nowhere_else(tmp_path):
    changes = {
        "schedules/two-stage/0/sampling": {"fps": 1},
        "evaluation/0/sampling": {"mode": "uniform", "frames": 8},
    }
    plan = planned(tmp_path, changes)
    align, sft, bench = samplings(plan, plan.variants[0].id).values()
    assert (align["mode"], align["fps"]) == ("fps", 1.0)
    assert (sft["mode"], sft["fps"]) == ("fps", 2.0)
    assert (bench["mode"], bench["frames"]) == ("uniform", 8)
