import json
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from tiny_sweeps import (
    SWEEP,
    diverging_stage,
    plan_of,
    run_tiny,
    runs,
    tiny_store,
    write_sweep,
)

from analysis.table.reading import read_rows
from apollo_core.errors import BadInput
from orchestrator.cost.cost import plan_cost, plan_flops
from orchestrator.cost.planned_memory import plan_memory
from orchestrator.cost.speeds import Speeds
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.ray.ray_engine import RayEngine
from orchestrator.plan.plan_json import plan_document
from orchestrator.results.score_table import score_rows, write_items, write_scores
from orchestrator.store.gc import orphans, remove_orphans
from orchestrator.store.known_sweep import known_sweep
from orchestrator.store.status import status_document
from orchestrator.store.sweep_record import record_of


class Untouchable:
    """An engine for runs in which there is nothing to do."""

    def capacity(self, *, with_gpus):
        raise AssertionError("there is nothing to run")

    def run(self, frontier: Frontier, *, run_stage, on_outcome):
        assert frontier.is_finished


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path)


@pytest.fixture
def store(tmp_path):
    return tiny_store(tmp_path)


def test_a_run_finishes_every_stage_once_and_a_second_run_has_nothing_to_do(sweep, store, tmp_path):
    plan = plan_of(sweep, store)
    first = run_tiny(sweep, store)
    assert (first.exit_code, first.done, first.done_before) == (0, len(plan.stages), 0)
    assert sorted(runs(tmp_path)) == sorted(plan.stages)
    second = run_tiny(sweep, store, engine=Untouchable())
    assert (second.exit_code, second.done_before) == (0, len(plan.stages))


def test_the_stored_identity_hashes_to_the_stage_key(sweep, store):
    from orchestrator.canonical import digest

    run_tiny(sweep, store)
    for key in plan_of(sweep, store).stages:
        assert digest(store.identity(key)) == key


def test_only_runs_the_named_replicates(sweep, store):
    plan = plan_of(sweep, store)
    run_tiny(sweep, store, only=("base@xs#0",))
    assert set(store.done_keys()) == set(plan.variant("base@xs#0").stages)
    with pytest.raises(BadInput, match=r"base@xs#0"):
        run_tiny(sweep, store, only=("base@xs",))


def test_a_failure_blocks_its_replicates_and_stays_until_asked(sweep, store, tmp_path):
    summary = run_tiny(sweep, store, run_stage=diverging_stage)
    assert summary.exit_code == 1
    assert len(summary.failed) == 4  # two designs at two scales, seed 1
    assert summary.blocked == 4
    assert summary.failed[0].failure_class == "diverged"
    before = len(runs(tmp_path))
    again = run_tiny(sweep, store)
    assert (again.exit_code, len(again.failed), len(runs(tmp_path))) == (1, 4, before)
    document = status_document(record_of(plan_of(sweep, store)), store)
    assert document["stages"] == {"done": 10, "running": 0, "waiting": 4, "failed": 4}
    failures = document["failures"]
    assert isinstance(failures, list)
    told = {"kind": "align", "class": "diverged", "attempts": 1, "message": "loss is NaN at step 7"}
    assert isinstance(failures[0], dict)
    assert {name: failures[0][name] for name in told} == told
    assert run_tiny(sweep, store, retry_failed=True).exit_code == 0


def test_a_sweep_with_data_that_are_not_there_is_refused_before_anything_is_written(tmp_path):
    text = SWEEP.replace("  microworld: {train_videos: 1", "  root: nowhere\n  #")
    store = tiny_store(tmp_path)
    with pytest.raises(BadInput, match="captions"):
        run_tiny(write_sweep(tmp_path, text), store)
    assert not store.root.exists()


@pytest.mark.parametrize("engine", [LocalEngine(), RayEngine()], ids=["local", "ray"])
@pytest.mark.parametrize("needed", ["cpus: 9999", "gpus: 999"])
def test_a_stage_that_never_fits_is_refused_before_anything_is_written(tmp_path, engine, needed):
    text = SWEEP.replace("size: 0.000070", f"size: 0.000070, resources: {{{needed}}}")
    store = tiny_store(tmp_path)
    with pytest.raises(BadInput, match=r"needs .* lower the scale's `resources`"):
        run_tiny(write_sweep(tmp_path, text), store, engine=engine)
    assert not store.root.exists()


@pytest.mark.skipif(find_spec("torchcodec") is not None, reason="it is installed here")
@pytest.mark.parametrize("engine", [LocalEngine(), RayEngine()], ids=["local", "ray"])
def test_a_decoder_that_is_not_installed_is_refused_before_anything_is_written(tmp_path, engine):
    text = SWEEP.replace("data:\n", "data:\n  decoder: torchcodec\n")
    store = tiny_store(tmp_path)
    with pytest.raises(BadInput, match=r"decoder: torchcodec: .* pip install 'apollo-sweeps"):
        run_tiny(write_sweep(tmp_path, text), store, engine=engine)
    assert not store.root.exists()


def test_a_run_keeps_its_sweep_file_and_a_name_finds_it_again(sweep, store):
    run_tiny(sweep, store)
    (kept,) = (store.root / "sweeps" / "tiny").glob("*.yaml")
    assert kept.read_text() == SWEEP
    assert known_sweep(Path("tiny"), store) == record_of(plan_of(sweep, store))
    with pytest.raises(BadInput, match="Known: tiny"):
        known_sweep(Path("tinny"), store)


def test_gc_removes_only_what_no_sweep_refers_to(sweep, store):
    run_tiny(sweep, store)
    assert orphans(store) == []
    for path in (store.root / "sweeps" / "tiny").iterdir():
        path.unlink()
    smaller = write_sweep(sweep.parent, SWEEP.replace("seeds: [0, 1]", "seeds: [0]"))
    run_tiny(smaller, store)
    kept = set(plan_of(smaller, store).stages)
    listed = {orphan.key for orphan in orphans(store)}
    assert listed == set(store.done_keys()) - kept
    remove_orphans(store, orphans(store))
    assert set(store.done_keys()) == kept


def test_the_score_table_has_categories_and_their_unweighted_mean(sweep, store, tmp_path):
    run_tiny(sweep, store)
    record = record_of(plan_of(sweep, store))
    rows = score_rows(record, store)
    assert len(rows) == 8 * 2 * 3  # replicates, regimes, two categories and overall
    found = {row["metric"]: row for row in rows[:3]}
    metrics = ["bench/video/spatial", "bench/video/temporal ocr", "bench/video/overall"]
    spatial, ocr, overall = (found[name] for name in metrics)
    mean = (float(str(spatial["score"])) + float(str(ocr["score"]))) / 2
    assert overall["score"] == pytest.approx(mean)
    assert [spatial["n_items"], ocr["n_items"], overall["n_items"]] == [3, 1, 4]
    assert overall["chance"] == 25
    assert overall["integration"] == "base"
    write_scores(record, store, tmp_path / "scores.csv")
    header = (tmp_path / "scores.csv").read_text().splitlines()[0]
    assert set(header.split(",")) == {
        *("design", "scale", "scale_size", "seed", "metric", "score", "n_items", "chance"),
        "integration",
    }
    assert write_items(record, store, tmp_path / "items.csv.gz") == 8 * 2 * 4
    assert write_items(record, store, tmp_path / "items.parquet") == 8 * 2 * 4
    both = [read_rows(tmp_path / f"items.{ending}") for ending in ("csv.gz", "parquet")]
    assert both[0].to_numpy().tolist() == both[1].to_numpy().tolist()


def test_scores_of_nothing_are_bad_input(sweep, store, tmp_path):
    with pytest.raises(BadInput, match="apollo run"):
        write_scores(record_of(plan_of(sweep, store)), store, tmp_path / "scores.csv")


RUN = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tiny_sweeps import run_tiny, slow_stage, tiny_store, write_sweep
folder = Path(sys.argv[2])
summary = run_tiny(write_sweep(folder), tiny_store(folder), run_stage=slow_stage)
sys.exit(summary.exit_code)
"""


def start(folder):
    command = [sys.executable, "-c", RUN, str(Path(__file__).parent), str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_a_sweep_whose_driver_was_killed_goes_on_where_it_was(tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    store = tiny_store(killed)
    process = start(killed)
    while len(store.done_keys()) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = store.done_keys()
    stamps = {key: (store.stage_folder(key) / "DONE").stat().st_mtime_ns for key in before}
    for folder in (killed, whole):
        process = start(folder)
        assert process.communicate()[0] is None
        assert process.returncode == 0
    # No finished stage was repeated, and the score table is that of a run without accidents.
    assert all((store.stage_folder(k) / "DONE").stat().st_mtime_ns == stamps[k] for k in before)
    assert len(before) < len(store.done_keys())
    rows = []
    for folder in (killed, whole):
        found = tiny_store(folder)
        rows.append(json.dumps(score_rows(known_sweep(Path("tiny"), found), found)))
    assert rows[0] == rows[1]


def test_an_interrupt_stops_the_run_and_the_next_one_goes_on(tmp_path):
    process = start(tmp_path)
    store = tiny_store(tmp_path)
    while not store.done_keys():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    process = start(tmp_path)
    process.communicate()
    assert process.returncode == 0


def test_a_stage_is_of_the_same_kind_in_the_plan_and_in_the_status(sweep, store):
    run_tiny(sweep, store, run_stage=diverging_stage)
    plan = plan_of(sweep, store)
    flops = plan_flops(plan)
    cost = plan_cost(plan, flops, Speeds(1.0, 1.0, "given", "given"))
    planned = json.loads(
        json.dumps(plan_document(plan, cost, plan_memory(plan, device=80e9), device=80e9))
    )
    kinds = {stage["key"]: stage["kind"] for stage in planned["stages"]}
    failures = json.loads(json.dumps(status_document(record_of(plan), store)))["failures"]
    assert failures
    assert all(kinds[failure["key"]] == failure["kind"] for failure in failures)
