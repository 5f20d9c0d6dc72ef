import json

import pytest
from small_sweep import planned

from apollo_core.connector.connector_sizes import connector_parameters
from apollo_core.design import FpsSampling, PerceiverResampler, UniformSampling
from apollo_core.microworld.parts import ENCODERS, LLMS
from apollo_core.stages.identity import PretrainIdentity
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.makespan import makespan
from orchestrator.cost.sharing import axis_sharing
from orchestrator.cost.speeds import Speeds, measure_speeds
from orchestrator.cost.workload import clip_count

SPEEDS = Speeds(cpu=1e9, gpu=1e12, cpu_source="given", gpu_source="given")


def costed(tmp_path, changes=None):
    plan = planned(tmp_path, changes)
    return plan, plan_cost(plan, plan_flops(plan), SPEEDS)


@pytest.mark.parametrize(("hidden", "published"), [(1536, 38.4), (2048, 63.6), (3584, 177)])
def test_the_perceivers_size_is_that_of_the_papers_table_7(hidden, published):
    perceiver = PerceiverResampler(kind="perceiver", tokens_per_frame=16)
    internvideo2_and_siglip = [1408, 1152]
    found = connector_parameters(
        perceiver, dims=internvideo2_and_siglip, hidden=hidden, frames_per_clip=4
    )
    assert found / 1e6 == pytest.approx(published, rel=0.005)


def test_clips_fill_the_video_up_to_the_budget():
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=25)
    assert [clip_count(sampling, s) for s in (0.5, 2, 2.1, 30, 300)] == [1, 1, 2, 15, 25]
    assert clip_count(UniformSampling(mode="uniform", frames=32, frames_per_clip=8), 300) == 4


def test_sharing_pays_each_stage_once_and_the_rest_pays_every_replicate(tmp_path):
    plan, cost = costed(tmp_path)
    assert cost.shared.flops == pytest.approx(sum(s.flops for s in cost.stages.values()))
    assert cost.separate.flops == pytest.approx(
        sum(cost.stages[key].flops * node.used_by for key, node in plan.stages.items())
    )
    assert 0 < cost.saved_share < 1


def test_a_gpu_stage_is_paid_in_gpu_hours(tmp_path):
    plan, cost = costed(tmp_path, {"scales/xs/resources": {"gpus": 4}})
    one = next(iter(plan.stages))
    assert cost.stages[one].seconds == pytest.approx(cost.stages[one].flops / 4e12)
    assert cost.shared.gpu_hours == pytest.approx(cost.shared.flops / 1e12 / 3600)


def test_training_more_modules_costs_more_and_keeps_more(tmp_path):
    def sft(lr):
        plan, cost = costed(tmp_path, {"schedules/two-stage/1/lr": lr})
        return cost.stages[plan.variant("base@xs#0").steps["sft"]]

    only_llm, connector, both, everything = (
        sft({"llm": 1e-3}),
        sft({"connector": 1e-3}),
        sft({"connector": 1e-3, "llm": 1e-3}),
        sft({"vision": 1e-3, "connector": 1e-3, "llm": 1e-3}),
    )
    assert only_llm.flops < both.flops < everything.flops
    assert connector.flops < both.flops
    assert only_llm.bytes + connector.bytes == both.bytes < everything.bytes


PARTS = {
    "data/sets/pictures": {"manifest": "image_captions.jsonl", "modality": "image"},
    "data/pretraining": {"text": "words", "image": "pictures", "video": "captions"},
}


def pretraining(tmp_path, changes=None):
    """Name of each part -> cost of its pretraining."""
    plan, cost = costed(tmp_path, {**PARTS, **(changes or {})})
    return {
        node.locations[node.identity.part.fingerprint].removeprefix("micro:"): cost.stages[key]
        for key, node in plan.stages.items()
        if isinstance(node.identity, PretrainIdentity)
    }


def test_pretraining_a_part_keeps_the_parts_own_bytes(tmp_path):
    found = pretraining(tmp_path, {"scales/l": {"llm": "micro:qwen2-l", "size": 0.0002}})
    sizes = {name: part.geometry.parameters for name, part in {**ENCODERS, **LLMS}.items()}
    assert {name: cost.bytes for name, cost in found.items()} == {
        name: 4 * sizes[name] for name in ("siglip", "videomae", "qwen2-xs", "qwen2-l")
    }


def test_pretraining_an_encoder_costs_its_own_forward_whatever_the_language_models_are(tmp_path):
    small = pretraining(tmp_path)
    large = pretraining(tmp_path, {"scales/xs": {"llm": "micro:qwen2-l", "size": 0.0002}})
    for name in ("siglip", "videomae"):
        assert small[name].flops == large[name].flops
    # A picture: one frame of 36 patches through 2 blocks; forward and backward are 3 forwards, but
    # pixels get no gradient.
    matrices, attention = 2 * (4 * 64**2 + 2 * 64 * 128), 4 * 2 * 64 * 36
    embedding = 2 * 3 * 8**2 * 64
    learning = 36 * (3 * (2 * matrices + attention) + 2 * embedding)
    assert small["siglip"].flops == ENCODERS["siglip"].pretraining.samples * learning


def test_pretraining_on_longer_videos_costs_more_up_to_the_clips_that_it_looks_at(tmp_path):
    seconds = {s: pretraining(tmp_path, {"data/mean_seconds": s})["videomae"] for s in (2, 4, 60)}
    assert seconds[4].flops == seconds[60].flops == 2 * seconds[2].flops


def finish(folder, key, events):
    """Leave what speeds are read from, as a finished stage does."""
    stage = folder / "store" / "stages" / key
    stage.mkdir(parents=True)
    (stage / "metrics.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    (stage / "provenance.json").write_text(json.dumps({"seconds": 1000.0}))
    (stage / "DONE").touch()


def test_finished_stages_tell_the_speed_of_this_machine_without_their_start(tmp_path):
    plan = planned(tmp_path)
    flops = plan_flops(plan)
    for key in list(plan.stages)[:3]:
        steps, took = 8, flops[key] / 5e9
        times = [(step, 100 + took * step / steps) for step in range(1, steps + 1)]
        finish(tmp_path, key, [{"step": n, "steps": steps, "time": time} for n, time in times])
    speeds = measure_speeds(plan, flops, store=tmp_path / "store")
    assert speeds.cpu == pytest.approx(5e9, rel=1e-3)
    assert speeds.cpu_source == "median of 3 finished stages"


def test_a_pause_between_two_attempts_slows_no_speed_down(tmp_path):
    plan = planned(tmp_path)
    flops = plan_flops(plan)
    key = next(iter(plan.stages))
    pace = flops[key] / 5e9 / 8
    # Killed after the fifth step, gone on with an hour later from the third.
    steps = [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (4, 3603), (5, 3604), (6, 3605), (7, 3606)]
    finish(tmp_path, key, [{"step": n, "steps": 8, "time": 100 + at * pace} for n, at in steps])
    speeds = measure_speeds(plan, flops, store=tmp_path / "store")
    assert speeds.cpu == pytest.approx(5e9, rel=1e-3)


def test_speeds_are_told_by_what_training_reaches_or_by_a_share_of_the_peak(tmp_path):
    plan = planned(tmp_path, {"execution/peak_tflops": 990})
    flops = plan_flops(plan)

    def gpu(**told):
        return measure_speeds(plan, flops, store=tmp_path / "store", **told).gpu / 1e12

    assert gpu(gpu_tflops=300) == 300
    assert gpu(utilisation=0.5) == 495
    assert gpu(gpu_tflops=200, utilisation=0.5) == 100


def test_no_order_of_work_ends_before_the_longest_chain_or_before_all_work_is_spread(tmp_path):
    plan = planned(tmp_path, {"scales/xs/resources": {"gpus": 2}})
    seconds = dict.fromkeys(plan.stages, 10.0)
    chain = 4 * 10.0  # pretrain, align, sft, evaluate
    work = 2 * 10.0 * len(plan.stages)
    few, many = (makespan(plan, seconds, gpus=gpus) for gpus in (2, 64))
    assert (few.critical_path, few.work) == (chain, work)
    assert (few.shortest, many.shortest) == (work / 2, chain)


def test_what_an_axis_shares_is_counted_among_variants_that_differ_on_it_alone(tmp_path):
    plan, cost = costed(tmp_path, {"seeds": [0, 1]})
    sampling, mixture, seed = axis_sharing(plan, cost)
    assert mixture.shared == {"pretrain": 0.5, "align": 0.5}
    assert sampling.shared == seed.shared == {"pretrain": 0.5}
    assert mixture.saved_share > sampling.saved_share > 0
    assert (mixture.saved_disk or 0) > (sampling.saved_disk or 0) > 0
    assert mixture.saved_gpu_hours is None  # it runs on processors alone
    assert (sampling.levels, seed.levels) == (2, 2)


def test_totals_tell_samples_and_disk_and_a_stage_what_it_keeps_while_it_runs(tmp_path):
    plan, cost = costed(tmp_path)
    # Three variants: 64 + 64 samples each; two share align.
    assert (cost.separate.samples, cost.shared.samples) == (6 * 64, 5 * 64)
    assert cost.shared.bytes == sum(stage.bytes for stage in cost.stages.values())
    sft = cost.stages[plan.variant("base@xs#0").steps["sft"]]
    assert sft.checkpoint == 6 * sft.bytes == cost.largest_checkpoint


def test_stages_too_short_to_tell_a_speed_are_left_out(tmp_path):
    plan = planned(tmp_path)
    flops = plan_flops(plan)
    for key, events in zip(
        plan.stages,
        ([], [{"step": 1, "steps": 1, "time": 1.0}], [{"step": n, "time": 1.0} for n in (1, 2)]),
        strict=False,
    ):
        finish(tmp_path, key, events)
    assert "matrix product" in measure_speeds(plan, flops, store=tmp_path / "store").cpu_source


def test_without_finished_stages_a_probe_or_a_data_sheet_tells_the_speed(tmp_path):
    plan = planned(tmp_path)
    speeds = measure_speeds(plan, plan_flops(plan), store=tmp_path / "store", gpu_tflops=2)
    assert 1e8 < speeds.cpu < 1e13
    assert speeds.gpu == 2e12
