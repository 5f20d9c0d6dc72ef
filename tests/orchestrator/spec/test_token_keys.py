"""A design said by its token counts and rates is the same design, with the same keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_sweep import planned, small, write

from apollo_core.design import FpsSampling
from apollo_core.errors import BadInput
from orchestrator.plan.designs import resolve_designs
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.spec.sweep_types import Sweep
from orchestrator.spec.type_problems import problems_of

# The small sweep: 2 fps, 4 frames a clip, 4 tokens a frame, so 8 tokens a second, 16 a clip.
SYSTEM = ("fps", "frames_per_clip", "tokens_per_frame", "max_clips")


def system(tmp_path, level=None, changes=None):
    """(fps, frames_per_clip, tokens_per_frame, max_clips) of the base, or of one level over it."""
    axes = {"axes": {"x": {"y": level}}} if level else {}
    found, problems = resolve_designs(load_sweep(write(tmp_path, {**(changes or {}), **axes})))
    assert not problems
    design = found[1 if level else 0].design
    assert isinstance(design.sampling, FpsSampling)
    values = {**design.sampling.model_dump(), **design.resampler.model_dump()}
    return tuple(values[name] for name in SYSTEM)


@pytest.mark.parametrize(
    "changes",
    [
        {"base/sampling/fps": None, "base/sampling/tokens_per_second": 8},
        {"base/resampler/tokens_per_frame": None, "base/resampler/tokens_per_second": 8},
        {"base/resampler/tokens_per_frame": None, "base/resampler/tokens_per_clip": 16},
        {"base/sampling/frames_per_clip": None, "base/resampler/tokens_per_clip": 16},
        {"base/sampling/max_clips": None, "base/sampling/max_tokens": 64},
        {"base/sampling/max_clips": None, "base/sampling/max_tokens": 79},
        {
            "base/sampling": {"mode": "fps", "fps": 2, "frames_per_clip": 4, "max_tokens": 64},
            "base/resampler/tokens_per_frame": None,
            "base/resampler/tokens_per_second": 8.0,
        },
        {"base/resampler/tokens_per_clip": 16},
    ],
)
def test_the_same_base_said_otherwise_has_the_same_stage_keys(tmp_path, changes):
    plain, said = planned(tmp_path), planned(tmp_path, changes)
    one, other = (plan.variants[0] for plan in (plain, said))
    assert one.stages == other.stages


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ({"sampling": {"tokens_per_second": 16}}, (4, 4, 4, 4)),
        ({"resampler": {"tokens_per_second": 16}}, (2, 4, 8, 4)),
        ({"resampler": {"tokens_per_clip": 32}}, (2, 4, 8, 4)),
        ({"sampling": {"max_tokens": 100}}, (2, 4, 4, 6)),
        ({"sampling": {"tokens_per_second": 16, "fps": 1}}, (1, 4, 16, 4)),
        ({"sampling": {"fps": 1}, "resampler": {"tokens_per_second": 16}}, (1, 4, 16, 4)),
        (
            {"sampling": {"tokens_per_second": 16}, "resampler": {"tokens_per_clip": 8}},
            (8, 4, 2, 4),
        ),
        ({"sampling": {"frames_per_clip": 8}, "resampler": {"tokens_per_clip": 8}}, (2, 8, 1, 4)),
    ],
)
def test_a_key_of_a_level_changes_the_field_that_it_gives(tmp_path, level, expected):
    assert system(tmp_path, level) == expected


@pytest.mark.parametrize(
    ("base", "level", "expected"),
    [
        # The budget is one of tokens: fewer tokens a frame, more clips.
        (
            {"base/sampling/max_clips": None, "base/sampling/max_tokens": 64},
            {"resampler": {"tokens_per_frame": 2}},
            (2, 4, 2, 8),
        ),
        (
            {"base/sampling/max_clips": None, "base/sampling/max_tokens": 64},
            {"sampling": {"max_clips": 3}},
            (2, 4, 4, 3),
        ),
        # The base's token rate stands where the level leaves its block alone.
        (
            {"base/sampling/fps": None, "base/sampling/tokens_per_second": 8},
            {"resampler": {"tokens_per_frame": 8}},
            (1, 4, 8, 4),
        ),
        (
            {"base/resampler/tokens_per_frame": None, "base/resampler/tokens_per_second": 8},
            {"sampling": {"fps": 1}},
            (1, 4, 8, 4),
        ),
        (
            {"base/resampler/tokens_per_frame": None, "base/resampler/tokens_per_second": 8},
            {"resampler": {"tokens_per_frame": 2}},
            (2, 4, 2, 4),
        ),
    ],
)
def test_what_the_base_says_holds_until_a_level_says_otherwise(tmp_path, base, level, expected):
    assert system(tmp_path, level, base) == expected


def test_a_uniform_level_over_a_base_said_by_rates_keeps_its_clips_and_tokens(tmp_path):
    changes = {
        "base/resampler/tokens_per_frame": None,
        "base/resampler/tokens_per_second": 8,
        "base/sampling/max_clips": None,
        "base/sampling/max_tokens": 64,
    }
    found, problems = resolve_designs(load_sweep(write(tmp_path, changes)))
    assert not problems
    uniform = next(each.design for each in found if each.id == "sampling=uniform-8")
    assert uniform.sampling.model_dump() == {"mode": "uniform", "frames": 8, "frames_per_clip": 4}
    assert uniform.resampler.tokens_per_frame == 4


def test_two_levels_that_come_to_one_design_are_duplicates(tmp_path):
    axes = {"x": {"rate": {"sampling": {"tokens_per_second": 16}}, "fps": {"sampling": {"fps": 4}}}}
    with pytest.raises(BadInput, match="x=fps is a duplicate of x=rate"):
        load_sweep(write(tmp_path, {"axes": axes}))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"base/sampling/tokens_per_second": 9},
         "base.sampling.tokens_per_second: tokens_per_frame=4 and fps=2 make tokens_per_second=8, "
         "which contradicts tokens_per_second=9"),
        ({"base/sampling/tokens_per_second": 16},
         "base.sampling.tokens_per_second: tokens_per_frame=4 and fps=2 make tokens_per_second=8, "
         "which contradicts tokens_per_second=16"),
        ({"base/sampling/tokens_per_second": "x"},
         "base.sampling.tokens_per_second: 'x' is not allowed: a number above 0 is needed"),
        ({"base/sampling/tokens_per_second": 8, "base/sampling/fps": "x"},
         "base.sampling.fps: 'x' is not allowed"),
        ({"base/sampling/max_tokens": 64},
         "base.sampling.max_tokens: max_clips is given too; a budget is one or the other"),
        ({"base/sampling/max_tokens": 15, "base/sampling/max_clips": None},
         "base.sampling.max_tokens: max_tokens=15 has no room for one clip of tokens_per_clip=16"),
        ({"base/resampler/tokens_per_frame": None, "base/resampler/tokens_per_clip": 18},
         "the nearest tokens_per_clip that work: 16, 20"),
        ({"base/sampling/fps": None, "base/resampler/tokens_per_clip": 16},
         "base.sampling.fps: fps cannot be worked out from"),
        ({"base/sampling/mode": "fsp", "base/resampler/tokens_per_frame": None,
          "base/resampler/tokens_per_clip": 16}, "base.sampling: 'fsp' is not allowed"),
        ({"base/sampling/tokens_per_secnd": 8}, "Did you mean 'tokens_per_second'?"),
        ({"base/resampler/tokens_per_clips": 8}, "Did you mean 'tokens_per_clip'?"),
        ({"axes": {"x": {"y": {"sampling": {"tokens_per_second": 9}}}}}, None),
        ({"axes": {"x": {"y": {"resampler": {"tokens_per_second": 9}}}}},
         "axes.x.y.resampler.tokens_per_second: tokens_per_second=9 and fps=2 make "
         "tokens_per_frame=4.5, which must be whole"),
        ({"axes": {"x": {"y": {"sampling": {"tokens_per_second": 9, "fps": 2}}}}},
         "axes.x.y.sampling.tokens_per_second: tokens_per_second=9 and fps=2 make"),
        ({"axes": {"x": {"y": {"sampling": {"tokens_per_second": 8},
                              "resampler": {"tokens_per_second": 16}}}}},
         "axes.x.y.resampler.tokens_per_second: 16 contradicts 8 of sampling.tokens_per_second"),
        ({"axes": {"x": {"y": {"sampling": {"mode": "uniform", "frames": 8, "max_tokens": 64}}}}},
         "axes.x.y.sampling.max_tokens: belongs to mode fps"),
        ({"axes": {"x": {"y": {"sampling": {"max_tokens": 0}}}}},
         "axes.x.y.sampling.max_tokens: 0 is not allowed: a whole number of at least 1 is needed"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_or_leaves_something_open_is_told_where_it_stands(
    tmp_path, changes, told
):
    path = write(tmp_path, changes)
    if told is None:
        load_sweep(path)
        return
    with pytest.raises(BadInput) as caught:
        load_sweep(path)
    assert told in str(caught.value)


def test_the_line_of_a_wrong_key_is_its_own(tmp_path):
    path = write(tmp_path, {"base/sampling/tokens_per_second": 9})
    lines = path.read_text().splitlines()
    number = 1 + next(i for i, line in enumerate(lines) if "tokens_per_second" in line)
    with pytest.raises(BadInput, match=f"sweep.yaml:{number}: base.sampling.tokens_per_second"):
        load_sweep(path)


# The paper's table 10: tokens per second, frames per second, tokens per frame.
TABLE_10 = [
    (rate * frame, rate, frame) for frame in (128, 64, 32, 16, 8, 4, 2) for rate in (4, 2, 1, 0.5)
]


def test_table_10_is_expressible_by_any_two_of_its_columns(tmp_path):
    by_frames = {
        f"r{i}": {"sampling": {"fps": fps}, "resampler": {"tokens_per_frame": tpf}}
        for i, (_, fps, tpf) in enumerate(TABLE_10)
    }
    by_seconds = {
        f"r{i}": {"sampling": {"fps": fps}, "resampler": {"tokens_per_second": tps}}
        for i, (tps, fps, _) in enumerate(TABLE_10)
    }
    by_rate = {
        f"r{i}": {"sampling": {"tokens_per_second": tps}, "resampler": {"tokens_per_frame": tpf}}
        for i, (tps, _, tpf) in enumerate(TABLE_10)
    }
    resolved = []
    for levels in (by_frames, by_seconds, by_rate):
        changes = {"axes": {"row": levels}, "base/sampling/fps": 3}
        found, problems = resolve_designs(load_sweep(write(tmp_path, changes)))
        assert not problems
        resolved.append([(each.id, each.design) for each in found])
    assert resolved[0] == resolved[1] == resolved[2]
    assert len(resolved[0]) == 1 + 28


def test_the_schema_offers_the_keys_and_asks_for_no_more_than_is_needed():
    schema = Sweep.model_json_schema()
    sampling, resampler = schema["$defs"]["FpsSampling"], schema["$defs"]["PerceiverResampler"]
    assert "budget" in sampling["properties"]["max_tokens"]["description"]
    assert "tokens_per_clip" in resampler["properties"]
    for each, computed in ((sampling, "fps"), (resampler, "tokens_per_frame")):
        assert computed not in each["required"]
        assert each["required"]


def test_a_level_that_what_is_kept_of_the_base_does_not_fit_is_told_at_the_level(tmp_path):
    changes = {
        "base/resampler/tokens_per_frame": None,
        "base/resampler/tokens_per_second": 8,
        "axes": {"x": {"y": {"sampling": {"fps": 3}}}},
    }
    with pytest.raises(BadInput, match=r"axes.x.y.sampling.fps: .* tokens_per_frame=2.66667"):
        load_sweep(write(tmp_path, changes))


SAYS = {
    "sampling": st.dictionaries(
        st.sampled_from(["fps", "frames_per_clip", "tokens_per_second", "max_tokens", "max_clips"]),
        st.sampled_from([0.5, 1, 2, 3, 4, 8, 16, 100, "x", -1]),
        max_size=3,
    ),
    "resampler": st.dictionaries(
        st.sampled_from(["tokens_per_frame", "tokens_per_clip", "tokens_per_second"]),
        st.sampled_from([0.5, 1, 2, 3, 4, 8, 16, 100, "x", -1]),
        max_size=2,
    ),
}


def assert_told(problems):
    assert problems
    assert all(problem.where[0] in ("base", "axes") and problem.text for problem in problems)


@given(st.fixed_dictionaries(SAYS), st.fixed_dictionaries(SAYS), st.booleans())
def test_whatever_is_said_comes_to_a_consistent_design_or_to_an_error_in_words(
    base, level, uniform
):
    content = small(None)
    for block, said in base.items():
        content["base"][block] = {**content["base"][block], **said}
    switch = {"mode": "uniform", "frames": 16} if uniform else {}
    content["axes"] = {"x": {"y": {**level, "sampling": {**level["sampling"], **switch}}}}
    try:
        sweep = Sweep.model_validate(content)
    except ValidationError as error:
        told = problems_of(error, Sweep)
        assert_told(told)
        return
    found, problems = resolve_designs(sweep)
    assert len(found) == 2 or problems
    if problems:
        assert_told(problems)
    assert all(each.design.resampler.tokens_per_frame >= 1 for each in found)
    if len(found) == 2 and "max_tokens" in level["sampling"] and not uniform:
        design = found[1].design
        assert isinstance(design.sampling, FpsSampling)
        clip = design.resampler.tokens_per_frame * design.sampling.frames_per_clip
        assert design.sampling.max_clips == level["sampling"]["max_tokens"] // clip
