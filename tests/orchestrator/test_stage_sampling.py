import pytest
from pydantic import ValidationError

from apollo_core.design import FpsSampling, Sampling, UniformSampling
from orchestrator.merging import stage_sampling
from orchestrator.schedule_types import PartialSampling

FPS = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=25)
UNIFORM = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)


def changed(design: Sampling, base: Sampling = FPS, **asked):
    return stage_sampling(PartialSampling(**asked), design, base)


def test_nothing_asked_is_the_designs_sampling():
    assert stage_sampling(None, UNIFORM, FPS) == UNIFORM


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
