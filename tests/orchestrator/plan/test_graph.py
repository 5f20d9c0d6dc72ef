import json
from typing import get_args

import pytest
from small_sweep import planned, training

from apollo_core.catalogue import JOININGS, RESAMPLERS
from apollo_core.errors import BadInput, DataMissing
from apollo_core.execution import Execution
from apollo_core.stages import identity
from apollo_core.stages.identity import Regime
from orchestrator.plan.differences import differences
from orchestrator.plan.graph import REGIMES
from orchestrator.plan.plan import stage_key, stage_payload

SCALES = {"xs": {"llm": "micro:qwen2-xs", "size": 0.1}, "s": {"llm": "micro:qwen2-s", "size": 0.2}}
OTHER_EXECUTION = {
    "micro_batch": 3,
    "workers": 7,
    "threads": 5,
    "device": "cpu",
    "frame_cache_mb": 9,
    "decode_deadline_s": 11,
    "checkpoint_minutes": 1.5,
    "stall_minutes": 2.5,
    "diverged_above": 4.0,
    "packing": "on",
    "sharding": "fsdp",
    "attention": "eager",
    "activation_checkpointing": True,
    "compile": True,
    "fused_optimiser": False,
    "peak_tflops": 0.5,
    "feature_cache": {"budget": "5GB"},
}


def keys(plan, variant="base@xs#0"):
    found = plan.variant(variant)
    return {**found.steps, **found.evaluations}


def test_a_replicate_is_pretraining_then_the_schedule_then_evaluation(tmp_path):
    plan = planned(tmp_path)
    steps = keys(plan)
    assert list(steps) == ["pretrain", "align", "sft", "bench"]
    assert plan.stages[steps["align"]].parents == {"llm": steps["pretrain"]}
    assert plan.stages[steps["sft"]].parents == {
        "llm": steps["pretrain"],
        "previous": steps["align"],
    }
    assert plan.stages[steps["bench"]].parents == {
        "llm": steps["pretrain"],
        "previous": steps["sft"],
    }
    assert plan.chain(steps["bench"]) == (steps["align"], steps["sft"])


def test_ids_name_design_scale_and_seed(tmp_path):
    plan = planned(tmp_path, {"scales": SCALES, "seeds": [0, 3]})
    assert len(plan.variants) == 3 * 2 * 2
    assert plan.variants[-1].id == "mixture=video-only@s#3"


def test_parents_come_before_children(tmp_path):
    order = list(planned(tmp_path).stages)
    for key, node in planned(tmp_path).stages.items():
        assert all(order.index(parent) < order.index(key) for parent in node.parents.values())


def test_pretraining_is_shared_by_all_replicates_and_the_rest_is_not(tmp_path):
    plan = planned(tmp_path, {"seeds": [0, 1]})
    one, other = keys(plan), keys(plan, "base@xs#1")
    assert one["pretrain"] == other["pretrain"]
    assert plan.stages[one["pretrain"]].used_by == len(plan.variants)
    assert not set(list(one.values())[1:]) & set(other.values())


def test_the_pretraining_seed_changes_everything_after_it(tmp_path):
    one, other = keys(planned(tmp_path)), keys(planned(tmp_path, {"pretraining_seed": 1}))
    assert not set(one.values()) & set(other.values())


def test_a_sweep_can_say_how_long_its_parts_are_pretrained(tmp_path):
    plan = planned(tmp_path, {"data/pretraining/samples": 96})
    identity = plan.stages[keys(plan)["pretrain"]].identity
    assert identity.model_dump()["samples"] == 96
    assert keys(plan)["pretrain"] != keys(planned(tmp_path))["pretrain"]


def test_alignment_does_not_depend_on_the_mixture(tmp_path):
    plan = planned(tmp_path)
    base, other = keys(plan), keys(plan, "mixture=video-only@xs#0")
    assert base["align"] == other["align"]
    assert base["sft"] != other["sft"]
    assert plan.stages[base["align"]].used_by == 2


def test_a_share_is_divided_among_its_sets_by_their_weights(tmp_path):
    weights = {"data/mixture/video": {"videos": 3, "captions": 1}}
    plan = planned(tmp_path, weights)
    shares = training(plan, keys(plan)["sft"]).data
    # In the order of the sets' fingerprints.
    assert sorted(share.share for share in shares) == [15.0, 40.0, 45.0]
    assert [len(share.sets) for share in shares] == [1, 1, 1]
    turned = planned(tmp_path, {"data/mixture/video": {"captions": 2, "videos": 6}})
    assert keys(turned)["sft"] == keys(plan)["sft"]


def test_one_weighted_set_is_that_set(tmp_path):
    weighted = planned(tmp_path, {"data/mixture/video": {"videos": 7}})
    assert list(weighted.stages) == list(planned(tmp_path).stages)


def test_data_that_run_out_may_end_a_stage(tmp_path):
    ending = planned(tmp_path, {"schedules/two-stage/1/exhausted": "end"})
    assert training(ending, keys(ending)["sft"]).exhausted == "end"
    assert keys(ending)["align"] == keys(planned(tmp_path))["align"]
    assert keys(ending)["sft"] != keys(planned(tmp_path))["sft"]


def test_a_share_of_nothing_is_no_share(tmp_path):
    plan = planned(tmp_path)
    shares = training(plan, keys(plan)["sft"]).data
    assert [share.share for share in shares] == [40.0, 60.0]


@pytest.mark.parametrize("field", sorted(Execution.model_fields))
def test_no_execution_field_changes_a_key(tmp_path, field):
    assert set(OTHER_EXECUTION) == set(Execution.model_fields)
    other = {field: OTHER_EXECUTION[field]}
    changed = planned(tmp_path, {"execution": other})
    assert changed.sweep.execution.execution == Execution.model_validate(other) != Execution()
    assert list(changed.stages) == list(planned(tmp_path).stages)


def test_precision_is_identity(tmp_path):
    changed = planned(tmp_path, {"execution": {"precision": "bfloat16"}})
    assert not set(changed.stages) & set(planned(tmp_path).stages)
    assert "precision" not in Execution.model_fields


def test_the_decoder_is_identity_of_all_that_sees_the_data(tmp_path):
    changed = planned(tmp_path, {"data/decoder": "decord"})
    shared = set(changed.stages) & set(planned(tmp_path).stages)
    assert {changed.stages[key].kind for key in shared} == {"pretrain"}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"scales/xs/resources": {"gpus": 4, "cpus": 3}},
        {"scales/xs/resources": {"processes": 2}},
        {"scales/xs/size": 7},
        {"base/sampling/fps": 2.0},
        {"evaluation/0/benchmark": "called-otherwise"},
        {"evaluation/0/name": "called-otherwise"},
        {"data/sets/captions/modality": "video"},
        {"data/mean_seconds": 5},
        {"data/decoder": "pyav"},
        {"schedules/two-stage/0/stage": "called-otherwise"},
        {"schedules/two-stage/0/warmup": 0.03},
        {"base/resampler/mlp_ratio": 4},
    ],
)
def test_names_resources_and_written_out_defaults_change_no_key(tmp_path, changes):
    assert list(planned(tmp_path, changes).stages) == list(planned(tmp_path).stages)


@pytest.mark.parametrize(
    ("resources", "ranks"),
    [({}, 1), ({"gpus": 0.5}, 1), ({"gpus": 1}, 1), ({"gpus": 4}, 4), ({"processes": 2}, 2)],
)
def test_a_stage_has_a_process_for_each_gpu_and_each_process_a_cpu(tmp_path, resources, ranks):
    plan = planned(tmp_path, {"scales/xs/resources": resources})
    for node in plan.stages.values():
        # A part of the microworld learns in one.
        assert node.processes == (1 if node.kind == "pretrain" else ranks)
        assert node.cpus == node.processes


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"schedules/two-stage/1/lr": {"connector": 1e-3, "llm": 2e-3}}, {"pretrain", "align"}),
        ({"schedules/two-stage/0/sampling": {"max_clips": 2}}, {"pretrain"}),
        ({"evaluation/0/sampling": {"max_clips": 2}}, {"pretrain", "align", "sft"}),
        ({"evaluation/0/prompt": "lettered-v1"}, {"pretrain", "align", "sft"}),
        ({"data/bad_media": "skip"}, {"pretrain"}),
        ({"data/microworld/seed": 1}, set()),
        ({"data/mixture/image": ["images", "captions"]}, {"pretrain", "align"}),
        ({"base/integration": "plain"}, {"pretrain"}),
    ],
)
def test_what_changes_a_result_changes_its_key_and_those_after_it(tmp_path, changes, kept):
    before, after = keys(planned(tmp_path)), keys(planned(tmp_path, changes))
    assert {step for step in before if before[step] == after[step]} == kept


def test_the_order_in_which_sets_are_listed_is_no_choice(tmp_path):
    one = planned(tmp_path, {"data/mixture/image": ["images", "captions"]})
    other = planned(tmp_path, {"data/mixture/image": ["captions", "images"]})
    assert list(one.stages) == list(other.stages)


def test_the_order_in_which_regimes_are_listed_is_no_choice(tmp_path):
    def key(*regimes):
        plan = planned(tmp_path, {"evaluation/0/regimes": list(regimes)})
        return plan.variants[0].evaluations["bench"]

    assert key("text", "video") == key("video", "text") != key("video")
    assert set(REGIMES) == set(get_args(Regime))


def test_a_scale_overrides_its_own_stage_only(tmp_path):
    override = {"schedules": {"two-stage": {"sft": {"lr": {"llm": 5e-4}}}}}
    scales = {**SCALES, "s": {**SCALES["s"], "overrides": override}}
    plan = planned(tmp_path, {"scales": scales})
    rates = [training(plan, keys(plan, f"base@{s}#0")["sft"]).lr for s in ("xs", "s")]
    assert [rate.llm for rate in rates] == [1e-3, 5e-4]
    assert [rate.connector for rate in rates] == [1e-3, 1e-3]


def test_every_fingerprint_of_an_identity_has_a_place(tmp_path):
    plan = planned(tmp_path)
    node = plan.stages[keys(plan)["sft"]]
    trained = training(plan, node.key)
    named = {part.fingerprint for part in (*trained.model.encoders, trained.model.llm)}
    named |= {name for share in trained.data for name in share.sets}
    assert named == set(node.locations)
    assert str(plan.media_root / "sft_video.jsonl") in node.locations.values()


def test_data_that_is_absent_makes_a_provisional_plan_that_a_run_refuses(tmp_path, monkeypatch):
    monkeypatch.delenv("APOLLO_NOWHERE", raising=False)
    changes = {"data/microworld": None, "data/root": "${APOLLO_NOWHERE}"}
    plan = planned(tmp_path, changes)
    assert plan.provisional
    assert all(node.provisional for node in plan.stages.values())
    with pytest.raises(DataMissing, match="APOLLO_NOWHERE is not set") as caught:
        plan.require_runnable()
    assert "${APOLLO_NOWHERE}/captions.jsonl" in str(caught.value)


def test_what_is_known_but_not_built_is_planned_and_refused_by_a_run(tmp_path, monkeypatch):
    monkeypatch.setitem(RESAMPLERS, "conv_avg", False)
    monkeypatch.setitem(JOININGS, "split", False)
    changes = {
        "axes/resampler/conv": {"resampler": {"kind": "conv_avg"}},
        "axes/joining/split": {"joining": "split"},
    }
    plan = planned(tmp_path, changes)
    assert plan.not_yet == ("conv_avg", "split")
    with pytest.raises(BadInput, match="not yet built: conv_avg, split"):
        plan.require_runnable()


def test_a_manifest_without_some_of_its_media_is_provisional_for_those_media(tmp_path):
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "That."}]
    row = {"id": "1", "video": "gone.mp4", "conversations": turns}
    (tmp_path / "captions.jsonl").write_text(json.dumps(row) + "\n")
    plan = planned(tmp_path, {"data/microworld": None, "data/root": str(tmp_path)})
    (told,) = (source for source in plan.unpinned if "captions.jsonl" in source)
    assert "1 of 1 media files are missing" in told
    assert "gone.mp4" in told
    (absent,) = (source for source in plan.unpinned if "sft_video.jsonl" in source)
    assert absent == f"{tmp_path}/sft_video.jsonl"


def test_a_whole_microworld_plan_is_final_and_runs(tmp_path):
    plan = planned(tmp_path)
    plan.require_runnable()
    assert not plan.provisional
    assert plan.world == plan.sweep.data.microworld


def test_an_unknown_id_is_told_with_the_nearest(tmp_path):
    with pytest.raises(BadInput, match="Did you mean 'base@xs#0'"):
        planned(tmp_path).variant("bse@xs#0")


def test_an_unknown_id_among_many_is_told_with_a_few_of_them(tmp_path):
    plan = planned(tmp_path, {"seeds": list(range(20))})
    with pytest.raises(BadInput, match=r"Did you mean 'base@xs#19'\?.* and 40 more") as caught:
        plan.variant("base@xs#199")
    assert len(str(caught.value)) < 800


def test_differences_name_the_fields_where_two_stages_part(tmp_path):
    plan = planned(tmp_path)
    first, second = (plan.stages[keys(plan, name)["align"]] for name in
                     ("base@xs#0", "sampling=uniform-8@xs#0"))  # fmt: skip
    found = {each.field: (each.first, each.second) for each in differences(first, second)}
    assert found["sampling.mode"] == ("fps", "uniform")
    assert found["sampling.frames"] == (None, 8)
    assert all(name.startswith("sampling.") for name in found)


def test_one_and_one_point_zero_are_one(tmp_path):
    whole = planned(tmp_path, {"schedules/two-stage/1/lr": {"connector": 1, "llm": 1}})
    real = planned(tmp_path, {"schedules/two-stage/1/lr": {"connector": 1.0, "llm": 1.0}})
    assert list(whole.stages) == list(real.stages)


def test_a_field_equal_to_its_default_is_left_out_of_the_key(tmp_path):
    plan = planned(tmp_path)
    node = plan.stages[keys(plan)["align"]]
    assert node.key == stage_key(node.identity, node.parents)
    assert node.payload == stage_payload(node.identity, node.parents)
    assert "warmup" not in training(plan, node.key).model_dump(exclude_defaults=True)
    assert "warmup" not in str(node.payload)
    assert node.payload["version"] == identity.STAGE_VERSIONS["train"]
