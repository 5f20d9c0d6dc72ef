import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from small_sweep import small, write
from typer.testing import CliRunner

from apollo_core.catalogue import ENCODERS, INTEGRATIONS, JOININGS, RESAMPLERS
from apollo_core.schedules import NAMED
from orchestrator.cli import app, main

HEAVY = ("torch", "transformers", "ray", "mlflow", "pandas")
SWEEPS = Path(__file__).parents[3] / "sweeps"


def run(*arguments):
    """The command's output; it must succeed."""
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def exit_code(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["apollo", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def test_plan_json_holds_variants_stages_and_cost(tmp_path, store):
    plan = json.loads(run("plan", write(tmp_path), "--json", "--store", store))
    assert plan["name"] == "small"
    assert plan["provisional"] is False
    base = plan["variants"][0]
    assert base == {
        "id": "base@xs#0",
        "design": "base",
        "levels": {"sampling": "base", "mixture": "base"},
        "scale": "xs",
        "seed": 0,
        "stages": base["stages"],
    }
    stages = {stage["key"]: stage for stage in plan["stages"]}
    assert [stages[key]["kind"] for key in base["stages"]] == [
        "pretrain",
        "align",
        "sft",
        "evaluate",
    ]
    for stage in stages.values():
        assert set(stage["parents"]) <= set(stages)
        assert {"used_by", "flops", "seconds", "gpus", "bytes"} <= set(stage)
        assert {"samples", "checkpoint_bytes", "memory"} <= set(stage)
    assert {"flops", "gpu_hours", "samples", "bytes"} == set(plan["cost"]["separate"])
    (sampling, mixture) = plan["cost"]["axes"]
    assert (sampling["axis"], sampling["shared"]) == ("sampling", {"pretrain": 0.5})
    assert (mixture["axis"], mixture["shared"]) == ("mixture", {"pretrain": 0.5, "align": 0.5})
    assert plan["cost"]["saved_share"] > 0


def test_plan_shows_counts_sharing_and_cost(tmp_path, store):
    shown = run("plan", write(tmp_path), "--store", store)
    assert "3 designs x 1 scale x 1 seed = 3 variants" in shown
    for word in ("pretrain", "align", "sft", "evaluate", "shared by", "saved by sharing", "disk"):
        assert word in shown


def test_the_plan_of_the_study_names_all_that_is_built_and_nothing_that_is_not(store):
    shown = run("plan", SWEEPS / "apollo84.yaml", "--store", store)
    built = [*ENCODERS, *RESAMPLERS, *INTEGRATIONS, *JOININGS, *NAMED]
    assert [name for name in built if name not in shown] == []
    assert "not yet" not in shown


def test_eighty_columns_break_no_word_and_are_enough(store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = run("plan", SWEEPS / "apollo84.yaml", "--store", store).splitlines()
    caches = lines[next(i for i, line in enumerate(lines) if line.startswith("Features of")) :]
    rows = [line for line in caches if line.startswith("│ internvideo2-1b")]
    assert len(rows) == 4
    assert all(len(line) <= 80 for line in lines)


def test_a_sweep_without_gpus_has_no_column_of_gpu_hours(tmp_path, store):
    assert "GPU-hours" not in run("plan", write(tmp_path), "--store", store)
    on_gpus = write(tmp_path, {"scales/xs/resources": {"gpus": 1}}, name="gpus.yaml")
    assert "GPU-hours" in run("plan", on_gpus, "--store", store)


def test_plan_writes_nothing(tmp_path, store):
    path = write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    run("plan", path, "--store", store)
    assert sorted(tmp_path.rglob("*")) == before


def test_plan_against_an_older_file_tells_what_runs_again_and_why(tmp_path, store):
    old = write(tmp_path, name="old.yaml")
    new = write(tmp_path, {"schedules/two-stage/1/samples": 128, "seeds": [0]})
    against = json.loads(run("plan", new, "--against", old, "--json", "--store", store))["against"]
    sft, evaluate = against["reruns"]
    assert sft["because"] == [{"field": "samples", "values": [64, 128]}]
    assert evaluate["because"][0]["field"] == "an earlier stage"
    assert against["added"] == against["removed"] == []
    assert "samples: 64 -> 128" in run("plan", new, "--against", old, "--store", store)
    assert "Nothing would run again" in run("plan", old, "--against", old, "--store", store)


def test_explain_tells_a_variants_fields_and_where_two_variants_part(tmp_path, store):
    path = write(tmp_path)
    shown = run("explain", path, "base@xs#0", "--store", store)
    assert "model.resampler.depth: 2" in shown
    shown = run("explain", path, "base@xs#0", "mixture=video-only@xs#0", "--store", store)
    assert "align: shared" in shown
    assert "sft: differs" in shown
    assert "data.sft_video.share: 60.0 -> 100.0" in shown
    two = ("base@xs#0", "sampling=uniform-8@xs#0")
    document = json.loads(run("explain", path, *two, "--json", "--store", store))
    align = next(stage for stage in document["stages"] if stage["step"] == "align")
    assert not align["shared"]
    assert {"field": "sampling.mode", "values": ["fps", "uniform"]} in align["differences"]


def test_the_schema_accepts_the_files_that_load_and_refuses_an_unknown_key():
    schema = json.loads(run("schema"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for path in sorted(SWEEPS.glob("*.yaml")):
        validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert list(validator.iter_errors(small({"base/sampling/fsp": 1})))
    assert list(validator.iter_errors(small({"bsae": 1})))


def test_bad_input_is_one_message_and_exit_code_2(tmp_path, monkeypatch, capsys):
    path = write(tmp_path, {"base/sampling/fps": -3})
    assert exit_code(monkeypatch, "plan", path) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "base.sampling.fps: -3" in captured.err
    assert "Traceback" not in captured.err
    assert exit_code(monkeypatch, "explain", write(tmp_path), "nobody") == 2
    assert exit_code(monkeypatch, "plan") == 2
    assert exit_code(monkeypatch, "plan", tmp_path) == 2


def test_a_store_that_is_a_file_is_bad_input(tmp_path, monkeypatch, capsys):
    path = write(tmp_path)
    for arguments in (("plan", path), ("explain", path, "base@xs#0")):
        assert exit_code(monkeypatch, *arguments, "--store", path) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert "--store" in captured.err


def test_planning_and_help_load_no_engine(tmp_path):
    script = (
        "import sys; from typer.testing import CliRunner; from orchestrator.cli import app\n"
        f"for arguments in (['--help'], ['plan', {str(write(tmp_path))!r}, '--json']):\n"
        "    assert CliRunner().invoke(app, arguments).exit_code == 0\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "APOLLO_STORE": str(tmp_path / "store")},
    )
    assert done.stdout.strip() == "[]"
