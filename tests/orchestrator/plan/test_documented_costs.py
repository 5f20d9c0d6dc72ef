"""The figures of docs/cost.md are what the code says."""

import math
from pathlib import Path

import pytest

from apollo_core.stages.identity import EvaluateIdentity
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.sharing import axis_sharing
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.amounts import si
from orchestrator.plan.graph import build_plan
from orchestrator.spec.sweep_file import load_sweep

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "cost.md").read_text(encoding="utf-8")
# An A100 at 0.4 of its peak: what the page says, and what a plan assumes without measurements.
SPEEDS = Speeds(cpu=1e9, gpu=0.4 * 312e12, cpu_source="", gpu_source="")
TABLES = (9, 10, 11, 12, 13)


@pytest.fixture(scope="module")
def cost_of():
    def cost(name):
        plan = build_plan(load_sweep(ROOT / "sweeps" / f"{name}.yaml"), store=Path("no-store"))
        return plan, plan_cost(plan, plan_flops(plan), SPEEDS)

    return cost


def alone(plan, cost):
    """What rows cost one by one: a row is a design and one of the ways to ask about it."""
    keys = [
        key
        for variant in plan.variants
        for evaluation in variant.evaluations.values()
        for key in (*variant.steps.values(), evaluation)
    ]
    stages = [(cost.stages[key], plan.stages[key].gpus) for key in keys]
    return (
        math.fsum(stage.flops for stage, _ in stages),
        math.fsum(stage.seconds * gpus for stage, gpus in stages) / 3600,
        sum(stage.samples for stage, _ in stages),
        sum(stage.bytes for stage, _ in stages),
    )


def row(name, plan, cost):
    """A line of the page's table."""
    count = sum(len(variant.evaluations) for variant in plan.variants)
    separate, shared = alone(plan, cost), cost.shared
    together = (shared.flops, shared.gpu_hours, shared.samples, shared.bytes)
    cells = [f"`{name}.yaml`", str(count)]
    for flops, hours, samples, size in (separate, together):
        cells += [si(flops), f"{hours:,.0f}", si(samples).strip(), f"{si(size)}B"]
    cells += [f"{1 - together[at] / separate[at]:.1%}" for at in (2, 0)]
    return f"| {' | '.join(cells)} |"


@pytest.mark.parametrize("table", TABLES)
def test_the_page_prints_what_sharing_saves_in_each_of_the_studys_sweeps(cost_of, table):
    name = f"paper_table{table}"
    assert row(name, *cost_of(name)) in PAGE.splitlines()


def test_the_page_prints_what_sharing_saves_in_the_study(cost_of):
    assert row("apollo84", *cost_of("apollo84")) in PAGE.splitlines()


def test_mixtures_share_two_fifths_of_their_samples_and_schedules_about_a_fifth(cost_of):
    _, mixtures = cost_of("paper_table13")
    assert 1 - mixtures.shared.samples / mixtures.separate.samples == pytest.approx(0.408, abs=1e-3)
    plan, schedules = cost_of("paper_table12")
    assert 1 - schedules.shared.samples / schedules.separate.samples == pytest.approx(
        0.189, abs=1e-3
    )
    rows = {"align": [], "vision": [], "sft": []}
    for node in plan.stages.values():
        rows.get(node.label, []).append(node.used_by)
    assert rows == {"align": [7], "vision": [2] * 6, "sft": [1] * 17}
    assert schedules.separate.samples - schedules.shared.samples == 6 * 198_000 + 6 * 396_000


def test_asking_otherwise_trains_nothing_again(cost_of):
    plan, cost = cost_of("paper_table11")
    asked = next(each for each in axis_sharing(plan, cost) if each.axis == "evaluation")
    assert asked.shared == {"align": 0.5, "vision": 0.5, "sft": 0.5}
    assert asked.saved_share == pytest.approx(0.5, abs=1e-3)
    for variant in plan.variants:
        first, second = (plan.stages[key] for key in variant.evaluations.values())
        assert first.parents == second.parents
        modes = set()
        for each in (first, second):
            assert isinstance(each.identity, EvaluateIdentity)
            modes.add(each.identity.sampling.mode)
        assert modes == {"uniform", "fps"}
