import json

import pytest
from small_sweep import planned

from apollo_core.design import FpsSampling, PerceiverResampler, UniformSampling
from apollo_core.geometry import connector_parameters
from orchestrator.cost import clip_count, plan_cost, plan_flops
from orchestrator.speeds import Speeds, measure_speeds

SPEEDS = Speeds(cpu=1e9, gpu=1e12, cpu_source="given", gpu_source="given")


def costed(tmp_path, changes=None):
    plan = planned(tmp_path, changes)
    return plan, plan_cost(plan, plan_flops(plan), SPEEDS)


@pytest.mark.parametrize(("hidden", "published"), [(1536, 38.4), (2048, 63.6), (3584, 177)])
def test_the_perceivers_size_is_that_of_the_papers_table_7(hidden, published):
    perceiver = PerceiverResampler(kind="perceiver", tokens_per_frame=16)
    internvideo2_and_siglip = 1408 + 1152
    found = connector_parameters(
        perceiver, dim=internvideo2_and_siglip, hidden=hidden, frames_per_clip=4
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


def test_finished_stages_tell_the_speed_of_this_machine(tmp_path):
    plan = planned(tmp_path)
    flops = plan_flops(plan)
    for key in list(plan.stages)[:3]:
        folder = tmp_path / "store" / "stages" / key
        folder.mkdir(parents=True)
        (folder / "provenance.json").write_text(json.dumps({"seconds": flops[key] / 5e9}))
        (folder / "DONE").touch()
    speeds = measure_speeds(plan, flops, store=tmp_path / "store")
    assert speeds.cpu == pytest.approx(5e9)
    assert speeds.cpu_source == "median of 3 finished stages"


def test_without_finished_stages_a_probe_or_a_data_sheet_tells_the_speed(tmp_path):
    plan = planned(tmp_path)
    speeds = measure_speeds(plan, plan_flops(plan), store=tmp_path / "store", gpu_tflops=2)
    assert 1e8 < speeds.cpu < 1e13
    assert speeds.gpu == 2e12
