import pytest
from small_sweep import write

from apollo_core.design import Mixture, PerceiverResampler
from apollo_core.errors import BadInput
from orchestrator.plan.designs import resolve_designs
from orchestrator.spec.sweep_file import load_sweep


def designs(tmp_path, changes=None):
    found, problems = resolve_designs(load_sweep(write(tmp_path, changes)))
    assert not problems
    return {each.id: each for each in found}


CARTESIAN = {
    "design": "cartesian",
    "axes": {
        "integration": {"base": {}, "plain": {"integration": "plain"}},
        "sampling": {
            "base": {},
            "uniform-8": {"sampling": {"mode": "uniform", "frames": 8}},
            "tpf-2": {"resampler": {"tokens_per_frame": 2}},
        },
    },
}


def test_one_factor_is_the_base_and_one_level_at_a_time(tmp_path):
    found = designs(tmp_path)
    assert list(found) == ["base", "sampling=uniform-8", "mixture=video-only"]
    assert found["sampling=uniform-8"].levels == {"sampling": "uniform-8", "mixture": "base"}


def test_cartesian_is_every_combination_of_the_listed_levels(tmp_path):
    assert list(designs(tmp_path, CARTESIAN)) == [
        "base",
        "sampling=uniform-8",
        "sampling=tpf-2",
        "integration=plain",
        "integration=plain,sampling=uniform-8",
        "integration=plain,sampling=tpf-2",
    ]


def test_cartesian_without_a_listed_base_has_none(tmp_path):
    axes = {"integration": {"plain": {"integration": "plain"}}}
    found = designs(tmp_path, {"design": "cartesian", "axes": axes})
    assert list(found) == ["integration=plain"]


def test_exclusions_drop_the_designs_that_match_every_pair(tmp_path):
    rule = {"exclude": [{"integration": "plain", "sampling": "base"}]}
    found = designs(tmp_path, {**CARTESIAN, **rule})
    assert "integration=plain" not in found
    assert "integration=plain,sampling=tpf-2" in found


def test_a_level_merges_deep_into_the_base(tmp_path):
    found = designs(tmp_path, {"axes/resampler/tpf-2": {"resampler": {"tokens_per_frame": 2}}})
    resampler = found["resampler=tpf-2"].design.resampler
    assert isinstance(resampler, PerceiverResampler)
    assert (resampler.tokens_per_frame, resampler.depth) == (2, 2)


def test_a_changed_mode_replaces_the_block_and_takes_what_it_needs_from_the_base(tmp_path):
    sampling = designs(tmp_path)["sampling=uniform-8"].design.sampling
    assert sampling.model_dump() == {"mode": "uniform", "frames": 8, "frames_per_clip": 4}


def test_a_changed_kind_takes_only_what_the_new_kind_needs(tmp_path):
    found = designs(tmp_path, {"axes/resampler/mlp": {"resampler": {"kind": "mlp_avg"}}})
    resampler = found["resampler=mlp"].design.resampler
    assert resampler.model_dump() == {"kind": "mlp_avg", "tokens_per_frame": 4}


def test_a_set_may_stand_for_a_mixture_and_the_other_way_round(tmp_path):
    level = {"mixture": {"text": 0, "image": 0, "multi_image": 0, "video": 100}}
    axes = {"mixture": {"one-set": {"mixture": "videos"}}}
    assert designs(tmp_path, {"axes": axes})["mixture=one-set"].design.mixture == "videos"
    found = designs(tmp_path, {"base/mixture": "images", "axes": {"mixture": {"x": level}}})
    assert found["mixture=x"].design.mixture == Mixture.model_validate(level["mixture"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"axes/integration/same": {"integration": "timestamps"}}, "a duplicate of base"),
        ({"axes/sampling/again": {"sampling": {"mode": "uniform", "frames": 8}}},
         "a duplicate of sampling=uniform-8"),
        ({"axes/sampling/none": {}}, "sets nothing, a duplicate of the base"),
        ({"axes/sampling/base": {}}, "one_factor always has the base"),
        ({"exclude": [{"sampling": "base"}]}, "excludes the base"),
        ({"exclude": [{"sampling": "uniform"}]}, "Did you mean 'uniform-8'?"),
        ({"exclude": [{"samplin": "base"}]}, "unknown axis 'samplin'. Did you mean 'sampling'?"),
        ({"exclude": [{"sampling": "uniform-8", "mixture": "video-only"}]},
         "exclude.0: never matches: a one_factor design changes one axis at a time"),
        ({"design": "cartesian", "exclude": [{"sampling": "base"}]}, "unknown level 'base'"),
        ({"exclude": [{}]}, "exclude.0: {} is not allowed"),
        ({**CARTESIAN, "axes/sampling/base": {"integration": "plain"}}, "is the base itself"),
        ({**CARTESIAN, "axes/other": {"x": {"sampling": {"frames": 16}}}},
         "axes.other.x.sampling.frames: 16 conflicts with 8 of level sampling=uniform-8"),
        ({**CARTESIAN, "axes/other": {"x": {"sampling": {"max_clips": 2}}}},
         "axes.other.x.sampling.max_clips: unknown key"),
        ({"design": "cartesian", "axes": {"a": {"x": {"integration": "plain"}}},
          "exclude": [{"a": "x"}]}, "everything is excluded"),
    ],
)  # fmt: skip
def test_designs_that_cannot_be_told_apart_or_made_are_refused(tmp_path, changes, told):
    with pytest.raises(BadInput) as caught:
        load_sweep(write(tmp_path, changes))
    assert told in str(caught.value)


def test_cartesian_levels_that_set_one_leaf_alike_agree(tmp_path):
    axes = {
        "a": {"x": {"resampler": {"tokens_per_frame": 2}}},
        "b": {"y": {"resampler": {"tokens_per_frame": 2, "depth": 1}}},
    }
    found = designs(tmp_path, {"design": "cartesian", "axes": axes})
    assert found["a=x,b=y"].design.resampler.tokens_per_frame == 2


def test_a_combination_that_cannot_be_made_can_be_excluded(tmp_path):
    changes = {
        **CARTESIAN,
        "axes/other": {"base": {}, "x": {"sampling": {"max_clips": 2}}},
        "exclude": [{"sampling": "uniform-8", "other": "x"}],
    }
    assert "sampling=uniform-8,other=x" not in designs(tmp_path, changes)


def test_a_design_too_large_to_mean_is_refused_without_making_it(tmp_path):
    levels = {f"l{n}": {"resampler": {"depth": n}} for n in range(1, 12)}
    axes = {f"a{n}": levels for n in range(5)}
    with pytest.raises(BadInput, match="161051 combinations"):
        load_sweep(write(tmp_path, {"design": "cartesian", "axes": axes}))
