"""The whole way as a user goes it: run, status, report, the view; then again, and without Ray."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

# What MLflow stands on warns of its own deprecations.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def report(undisturbed, sweep, tmp_path_factory):
    """The folder of the undisturbed run's report."""
    folder = tmp_path_factory.mktemp("report") / "r"
    code, out, err = undisturbed("report", sweep, "--out", folder)
    assert code == 0, err
    assert str(folder / "report.html") in out
    return folder


def test_status_counts_the_stages_and_has_exactly_the_promised_keys(undisturbed, sweep):
    code, out, err = undisturbed("status", sweep, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "name": "whole",
        "stages": {"done": 15, "running": 0, "waiting": 0, "failed": 0},
        "failures": [],
    }


def test_a_report_holds_the_page_the_numbers_the_items_and_figures(report):
    names = {path.relative_to(report).as_posix() for path in report.rglob("*")}
    assert {"report.html", "report.json", "scores.csv", "items.csv.gz"} <= names
    assert any(name.endswith((".svg", ".png")) for name in names)
    pairs = json.loads((report / "report.json").read_text())["pairs"]
    assert {(pair["small"], pair["large"]) for pair in pairs} == {("xs", "s")}


def test_a_report_is_made_again_from_its_folder_alone(report, undisturbed, tmp_path):
    tables = ("--scores", report / "scores.csv", "--items", report / "items.csv.gz")
    again = tmp_path / "again"
    code, _, err = undisturbed("report", *tables, "--out", again)
    assert (code, err) == (0, "")
    for name in ("scores.csv", "source.json", "report.json"):
        assert (again / name).read_bytes() == (report / name).read_bytes()
    source = json.loads((again / "source.json").read_text())
    assert source["title"] == "whole"
    assert {"commit", "platform", "torch", "processor_count"} <= set(source["provenance"])
    (tmp_path / "source.json").write_text("{}")
    (tmp_path / "scores.csv").write_bytes((report / "scores.csv").read_bytes())
    code, _, err = undisturbed("report", "--scores", tmp_path / "scores.csv", "--out", again)
    assert code == 2
    assert "source.json: not what a report of a sweep writes" in err


def test_the_score_table_has_a_row_for_each_replicate_and_metric(report, scores):
    assert (report / "scores.csv").read_bytes() == scores
    table = pd.read_csv(report / "scores.csv")
    items = pd.read_csv(report / "items.csv.gz")
    assert set(table["design"]) == {"base", "integration=plain"}
    assert set(table["scale"]) == {"xs", "s"}
    assert set(table["metric"].value_counts()) == {4}
    assert {"bench/video/overall", "bench/text/overall"} <= set(table["metric"])
    assert table["score"].between(0, 100).all()
    videos = table[table["metric"] == "bench/video/overall"]
    assert len(items) == 2 * videos["n_items"].sum()


def test_a_second_run_does_nothing_and_loads_neither_ray_nor_torch(undisturbed, sweep):
    before = undisturbed.finished()
    started = time.monotonic()
    code, _, err = undisturbed("run", sweep, python=("-X", "importtime"))
    assert code == 0
    assert "15 of 15 stages done (15 before, 0 now)" in err
    assert undisturbed.finished() == before
    loaded = {line.split("|")[-1].strip() for line in err.splitlines() if "import time:" in line}
    assert "orchestrator.run" in loaded
    assert not {"ray", "torch", "mlflow"} & loaded
    assert time.monotonic() - started < 15


def test_the_view_has_one_run_for_the_sweep_and_one_nested_for_each_replicate(undisturbed):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{undisturbed.store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("whole")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if run.data.tags["kind"] == "sweep")
    replicates = {run.data.tags["variant_id"]: run for run in runs if run is not parent}
    assert len(runs) == 5
    assert set(replicates) == {
        f"{design}@{scale}#0" for design in ("base", "integration=plain") for scale in ("xs", "s")
    }
    for run in replicates.values():
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.info.status == "FINISHED"
    tags = replicates["integration=plain@s#0"].data.tags
    assert (tags["axis.integration"], tags["scale"], tags["seed"]) == ("plain", "s", "0")
    plain = replicates["integration=plain@s#0"]
    losses = [name for name in plain.data.metrics if name.endswith("loss")]
    assert {name.split("/")[0] for name in losses} >= {"align", "sft"}
    curve = client.get_metric_history(plain.info.run_id, "sft/loss")
    assert [point.step for point in curve] == sorted({point.step for point in curve})
    assert len(curve) == 20
    assert "bench/video/overall" in plain.data.metrics


def test_the_local_engine_gives_the_same_score_table_as_ray(fresh, sweep, scores):
    code, _, err = fresh("run", sweep, "--engine", "local")
    assert code == 0, err
    assert fresh.scores(sweep) == scores


def test_variants_trained_again_alone_give_the_same_answers_and_what_sharing_saved(
    undisturbed, sweep
):
    script = Path(__file__).parents[1] / "benchmarks" / "study_cost.py"
    words = (script, sweep, "--store", undisturbed.store, "--variants", "2")
    told = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    rows = [line.strip("| ").split(" | ") for line in told.stdout.splitlines() if "|" in line]
    again, costs = rows[2:4], [float(row[1]) for row in rows[-3:]]
    assert [row[-1] for row in again] == ["yes", "yes"]
    assert len({row[0].rsplit("@")[1] for row in again}) == 2
    assert costs == sorted(costs)
