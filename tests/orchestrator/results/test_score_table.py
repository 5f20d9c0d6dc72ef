import csv
import json

import pytest
from tiny_sweeps import (
    SWEEP,
    diverging_stage,
    plan_of,
    run_tiny,
    tiny_stage,
    tiny_store,
    write_sweep,
)

from apollo_core.errors import Diverged
from orchestrator.cli import main
from orchestrator.results.score_table import item_rows, score_rows, scores_of_items
from orchestrator.store.sweep_record import record_of


def plain_diverges(identity, context):
    """The tiny stages, but designs with plain integration never train."""
    if identity.kind == "train" and identity.model.integration == "plain":
        raise Diverged("loss is NaN at step 7")
    tiny_stage(identity, context)


def report_of(sweep, store, out, monkeypatch):
    words = ["apollo", "report", sweep, "--out", out, "--store", store.root]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    main_or_exit()
    with (out / "scores.csv").open() as file:
        return list(csv.DictReader(file)), json.loads((out / "report.json").read_text())


def main_or_exit():
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code


def test_every_planned_cell_has_a_row_and_what_is_not_done_has_an_empty_score(tmp_path):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store, run_stage=diverging_stage)
    rows = score_rows(record_of(plan_of(sweep, store)), store)
    assert len(rows) == 2 * 2 * 2 * 6  # designs, scales, seeds; two regimes with two categories
    assert all((row["score"] is None) == (row["seed"] == 1) for row in rows)


def test_a_design_that_fails_at_every_scale_stays_in_the_report_as_missing(tmp_path, monkeypatch):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store, run_stage=plain_diverges)
    rows, document = report_of(sweep, store, tmp_path / "r", monkeypatch)
    failed = [row for row in rows if row["design"] == "integration=plain"]
    assert failed
    assert {row["score"] for row in failed} == {""}
    assert {row["integration"] for row in failed} == {"plain"}
    missing = {(cell["design"], cell["scale"]) for cell in document["missing"]}
    assert missing == {("integration=plain", "xs"), ("integration=plain", "s")}
    assert "integration=plain" in (tmp_path / "r" / "report.html").read_text()


def test_a_benchmark_that_nobody_finished_is_listed_as_missing(tmp_path, monkeypatch):
    second = (
        "  - {benchmark: bench, manifest: bench.jsonl, regimes: [video], scoring: options,\n"
        "     sampling: {mode: uniform, frames: 8}, name: few}\n"
    )
    sweep, store = write_sweep(tmp_path, SWEEP + second), tiny_store(tmp_path)

    def few_fails(identity, context):
        if identity.kind == "evaluate" and identity.sampling.frames == 8:
            raise Diverged("no")
        tiny_stage(identity, context)

    run_tiny(sweep, store, run_stage=few_fails)
    _, document = report_of(sweep, store, tmp_path / "r", monkeypatch)
    assert {cell["metric"] for cell in document["missing"]} == {"few/video/overall"}


def test_a_grid_over_one_axis_without_base_keeps_its_axis(tmp_path, monkeypatch):
    text = SWEEP.replace("name: tiny", "name: tiny\ndesign: cartesian").replace(
        "    plain: {integration: plain}\n",
        "    plain: {integration: plain}\n    marked: {integration: separators}\n",
    )
    sweep, store = write_sweep(tmp_path, text), tiny_store(tmp_path)
    run_tiny(sweep, store)
    rows, document = report_of(sweep, store, tmp_path / "r", monkeypatch)
    assert {row["integration"] for row in rows} == {"plain", "marked"}
    assert {axis["axis"] for axis in document["axes"]} == {"integration"}


def test_an_answer_that_could_not_be_read_is_wrong_and_counts(tmp_path):
    def some_unread(identity, context):
        tiny_stage(identity, context)
        path = context.out / "items.jsonl"
        if identity.kind == "evaluate":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            rows[0] |= {"choice": "", "correct": 0, "orders": [], "generated": ["A cat"]}
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store, run_stage=some_unread)
    rows = list(item_rows(record_of(plan_of(sweep, store)), store))
    unread = [row for row in rows if row["choice"] == ""]
    assert len(unread) == 2 * 2 * 2  # designs, scales, seeds: the first item of each
    assert all(row["correct"] == 0 for row in unread)
    assert set(rows[0]) == {
        "design", "scale", "seed", "benchmark", "regime", "video", "item", "category",
        "choice", "answer", "correct", "n_options", "duration_group", "task_type",
    }  # fmt: skip
    whole = scores_of_items("bench", [{**unread[0]}, {**unread[0], "choice": "A", "correct": 1}])
    assert [score.score for score in whole] == [50, 50]
