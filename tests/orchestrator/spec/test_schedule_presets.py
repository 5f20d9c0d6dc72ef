import csv
import re
from pathlib import Path

import pytest
from small_sweep import planned, training, write

from apollo_core.errors import BadInput
from apollo_core.schedules import NAMED, SCHEDULES, TABLE_12
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.spec.sweep_types import Sweep

TABLES = Path(__file__).parents[2] / "data"
MODULES = ("vision", "connector", "llm")
STAGE = {"data": "captions", "samples": 64, "batch_size": 8}
FROM_PRESET = {
    "preset": "table12-row-13",
    "stages": {
        "align": STAGE,
        "vision": {**STAGE, "sampling": {"max_clips": 2}},
        "sft": {**STAGE, "data": "mixture", "warmup": 0.1},
    },
}
WRITTEN = [
    {"stage": "align", "lr": {"connector": 1e-4}, **STAGE},
    {
        "stage": "vision",
        "lr": {"vision": 5e-6, "connector": 1e-4},
        **STAGE,
        "sampling": {"max_clips": 2},
    },
    {
        "stage": "sft",
        "lr": {"connector": 1e-4, "llm": 3e-5},
        **STAGE,
        "data": "mixture",
        "warmup": 0.1,
    },
]


def rows(table):
    with (TABLES / table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def given(preset):
    return {"preset": preset, "stages": {stage.name: STAGE for stage in SCHEDULES[preset]}}


def scheduled(schedule, **more):
    return {"schedules": {"two-stage": schedule}, **more}


@pytest.mark.parametrize("row", rows("apollo_table12.csv"), ids=lambda row: row["row"])
def test_a_preset_has_the_rates_of_its_row_of_the_studys_table_12(row):
    printed = [[row[f"s{stage}_lr_{module}"] for module in MODULES] for stage in (1, 2, 3)]
    rates = [tuple(float(rate) for rate in stage) for stage in printed if stage[0]]
    assert [stage[1:] for stage in TABLE_12[f"table12-row-{row['row']}"]] == rates


def test_the_named_presets_are_the_seven_schedules_of_table_3_in_its_order():
    printed = rows("apollo_table03.csv")
    assert list(NAMED.values()) == [f"table12-row-{row['row_of_table12']}" for row in printed]
    for name, row in zip(NAMED, printed, strict=True):
        trained = [
            ["FT"[getattr(stage, module) > 0] for module in MODULES] for stage in SCHEDULES[name]
        ]
        cells = [[row[f"s{stage}_{module}"] for module in MODULES] for stage in (1, 2, 3)]
        assert trained == [stage for stage in cells if stage[0]]


def test_a_stage_is_called_after_what_learns_in_it():
    names = {"F": {"F": "align", "T": "sft"}, "T": {"F": "vision", "T": "sft"}}
    for schedule in SCHEDULES.values():
        for stage in schedule:
            assert stage.name == names["FT"[stage.vision > 0]]["FT"[stage.llm > 0]]


@pytest.mark.parametrize("preset", SCHEDULES)
def test_every_preset_plans_with_its_rates_in_order(tmp_path, preset):
    plan = planned(tmp_path, scheduled(given(preset)))
    keys = plan.variant("base@xs#0").steps
    found = [
        (name, *dict(training(plan, key).lr).values())
        for name, key in keys.items()
        if not name.startswith("pretrain")
    ]
    assert found == [tuple(stage) for stage in SCHEDULES[preset]]


def test_a_preset_and_the_same_stages_written_out_have_the_same_keys(tmp_path):
    over = {"two-stage": {"sft": {"lr": {"llm": 1e-5}, "samples": 128}}}
    for more in ({}, {"scales/xs/overrides": {"schedules": over}}):
        preset = planned(tmp_path, scheduled(FROM_PRESET, **more))
        listed = planned(tmp_path, scheduled(WRITTEN, **more))
        assert list(preset.stages) == list(listed.stages)
        assert training(preset, preset.variant("base@xs#0").steps["sft"]).lr.llm == (
            1e-5 if more else 3e-5
        )


def test_a_name_of_table_3_and_its_row_have_the_same_keys(tmp_path):
    named, row = (
        planned(tmp_path, scheduled({**FROM_PRESET, "preset": preset}))
        for preset in ("three-stage-vision-second", "table12-row-13")
    )
    assert list(named.stages) == list(row.stages)


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("preset", "tabel12-row-13", "preset: unknown preset 'tabel12-row-13'. Did you mean"),
        ("preset", None, "preset: required, but missing"),
        ("stages/sft", None, "stages: sft: required, but missing; the preset 'table12-row-13'"),
        ("stages/sfd", STAGE, "stages: unknown stage 'sfd'. Did you mean 'sft'?"),
        ("stages/sft/data", None, "stages.sft.data: required, but missing"),
        ("stages/sft/data", "captoins", "stages.sft.data: unknown data set 'captoins'. Did you"),
        ("stages/sft/lr", {"llm": 1e-5}, "stages.sft.lr: unknown key"),
        ("stages/sft/samples", "many", "stages.sft.samples: 'many' is not allowed: a whole number"),
        ("stages/sft/sampling", {"mode": "uniform", "frames": 6}, "stages.sft.sampling: does not"),
        ("stage", {}, "two-stage.stage: unknown key. Did you mean 'stages'?"),
    ],
)
def test_what_is_wrong_with_a_preset_is_told_where_it_stands(tmp_path, path, value, told):
    content = {"schedules/two-stage": FROM_PRESET, f"schedules/two-stage/{path}": value}
    with pytest.raises(BadInput) as caught:
        load_sweep(write(tmp_path, content))
    text = str(caught.value)
    assert told in text
    assert re.match(r".*sweep\.yaml:\d+: schedules\.two-stage", text)


def test_the_line_of_a_presets_problem_is_that_of_its_stage(tmp_path):
    path = write(tmp_path, {"schedules/two-stage": FROM_PRESET})
    path.write_text(path.read_text().replace("data: mixture", "data: mixtrue"))
    lines = path.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "mixtrue" in text)
    with pytest.raises(BadInput, match=rf"sweep\.yaml:{line}: .*mixtrue"):
        load_sweep(path)


def test_an_empty_schedule_is_told_as_a_list_that_is_missing(tmp_path):
    with pytest.raises(BadInput, match=r"schedules\.two-stage: .* at least 1 entry is needed"):
        load_sweep(write(tmp_path, scheduled([])))


def test_editors_are_told_the_presets_names():
    schema = Sweep.model_json_schema()
    assert schema["$defs"]["PresetSchedule"]["properties"]["preset"]["enum"] == list(SCHEDULES)
