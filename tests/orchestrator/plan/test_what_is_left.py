"""What `apollo plan` takes off a sweep because the store has it."""

import json

import pytest
from small_sweep import planned, write
from typer.testing import CliRunner

from orchestrator.cli import app

LEVEL = {"axes/sampling/uniform-16": {"sampling": {"mode": "uniform", "frames": 16}}}
LONGER = {"schedules/two-stage/1/samples": 128}


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What `apollo plan` prints with these arguments."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments):
        words = ["plan", *map(str, arguments), "--store", str(tmp_path / "store")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        return result.stdout

    return call


def finish(store, keys):
    """Leave a store that has these stages."""
    for key in keys:
        folder = store / "stages" / key
        folder.mkdir(parents=True)
        (folder / "DONE").write_text('{"files": {}}')


def test_a_plan_says_what_the_store_has_and_what_the_rest_costs(tmp_path, told):
    finish(tmp_path / "store", planned(tmp_path).stages)
    grown = write(tmp_path, LEVEL | {"scales/xs/resources": {"gpus": 1}})
    assert f"9 of 12 stages are done in {tmp_path / 'store'}; left: 3 stages, " in told(grown)
    plan = json.loads(told(grown, "--json"))
    missing = [each for each in plan["stages"] if not each["done"]]
    assert (plan["left"]["done"], plan["left"]["stages"]) == (9, 3)
    assert {each["kind"] for each in missing} == {"align", "sft", "evaluate"}
    assert plan["left"]["flops"] == pytest.approx(sum(each["flops"] for each in missing))
    assert plan["left"]["gpu_hours"] == pytest.approx(
        sum(each["seconds"] * each["gpus"] / 3600 for each in missing)
    )
    assert 0 < plan["left"]["flops"] < plan["cost"]["shared"]["flops"]


def test_a_finished_sweep_has_nothing_left_and_one_without_a_store_says_nothing(tmp_path, told):
    sweep = write(tmp_path)
    assert " are done in " not in told(sweep)
    finish(tmp_path / "store", planned(tmp_path).stages)
    assert f"All 9 stages are done in {tmp_path / 'store'}; nothing is left." in told(sweep)


def test_what_the_store_has_of_a_changed_file_is_not_to_be_run(tmp_path, told):
    old, new = write(tmp_path, name="old.yaml"), write(tmp_path, LONGER, name="new.yaml")
    changed = planned(tmp_path, LONGER)
    assert "To run: 6 stages, " in told(new, "--against", old)
    sft = [key for key, node in changed.stages.items() if node.label == "sft"]
    finish(tmp_path / "store", sft)
    assert "To run: 3 stages, " in told(new, "--against", old)
    against = json.loads(told(new, "--against", old, "--json"))["against"]
    assert set(against["to_run"]).isdisjoint(sft)
    assert len(against["to_run"]) == 3
    finish(tmp_path / "store", changed.stages.keys() - set(sft))
    assert "To run: none of them; the store has all." in told(new, "--against", old)
