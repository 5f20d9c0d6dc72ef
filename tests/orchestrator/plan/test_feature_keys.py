"""Features are named by what decides what they are, and by nothing else."""

import pytest
from small_sweep import planned

from orchestrator.plan.feature_keys import all_feature_keys, feature_keys

VISION = [
    {
        "stage": "align",
        "lr": {"connector": 1e-3},
        "data": "captions",
        "samples": 8,
        "batch_size": 8,
    },
    {"stage": "vision", "lr": {"vision": 1e-3}, "data": "captions", "samples": 8, "batch_size": 8},
    {"stage": "sft", "lr": {"llm": 1e-3}, "data": "mixture", "samples": 8, "batch_size": 8},
]


def keys_of(plan, step, variant="base@xs#0"):
    found = plan.variant(variant)
    key = {**found.steps, **found.evaluations}[step]
    return feature_keys(plan, plan.stages[key])


def test_stages_with_the_same_frozen_encoders_share_features(tmp_path):
    plan = planned(tmp_path, {"seeds": [0, 1]})
    align = keys_of(plan, "align")
    assert len(align) == 2
    assert len({key for encoder in align for key in (encoder.video, encoder.still)}) == 4
    for step in ("sft", "bench"):
        assert keys_of(plan, step) == align
    assert keys_of(plan, "sft", "base@xs#1") == align
    assert keys_of(plan, "sft", "mixture=video-only@xs#0") == align
    assert keys_of(plan, "pretrain") == ()


def test_pictures_are_shared_between_samplings_and_videos_are_not(tmp_path):
    plan = planned(tmp_path)
    base = keys_of(plan, "sft")
    other = keys_of(plan, "sft", "sampling=uniform-8@xs#0")
    assert [one.still for one in base] == [one.still for one in other]
    assert not {one.video for one in base} & {one.video for one in other}


def test_an_encoder_has_the_same_features_whatever_stands_beside_it(tmp_path):
    together = keys_of(planned(tmp_path), "sft")
    alone = keys_of(planned(tmp_path, {"base/encoders": ["siglip"]}), "sft")
    assert alone == together[:1]


@pytest.mark.parametrize(
    "changes",
    [
        {"execution": {"precision": "bfloat16"}},
        {"base/sampling/frames_per_clip": 8},
        {"models/siglip/source": "micro:siglip2"},
        {"data/decoder": "torchcodec"},
    ],
    ids=["precision", "frames of a clip", "another encoder", "another decoder"],
)
def test_what_changes_features_changes_their_key(changes, tmp_path):
    before = keys_of(planned(tmp_path), "sft")[0]
    after = keys_of(planned(tmp_path, changes), "sft")[0]
    assert before.video != after.video
    assert before.still != after.still


def test_encoders_that_the_sweep_pretrains_are_named_by_that_stage(tmp_path):
    fresh = keys_of(planned(tmp_path), "sft")
    learns = {"data/pretraining": {"text": "words", "image": "images"}}
    plan = planned(tmp_path, learns)
    pretrained = keys_of(plan, "sft")
    assert (pretrained[0] != fresh[0], pretrained[1] == fresh[1]) == (True, True)
    assert keys_of(planned(tmp_path, {**learns, "pretraining_seed": 1}), "sft")[0] != pretrained[0]


def test_a_stage_that_trains_encoders_reads_none_and_those_behind_it_read_its_own(tmp_path):
    plan = planned(tmp_path, {"schedules/two-stage": VISION, "seeds": [0, 1]})
    assert keys_of(plan, "vision") == ()
    before, behind = keys_of(plan, "align"), keys_of(plan, "sft")
    assert not {one.video for one in before} & {one.video for one in behind}
    assert behind[0].video != behind[1].video
    assert keys_of(plan, "bench") == behind
    assert keys_of(plan, "sft", "base@xs#1") != behind
    assert set(all_feature_keys(plan)) >= {one.video for one in (*before, *behind)}
