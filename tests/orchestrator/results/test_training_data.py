import json

import pytest
from tiny_sweeps import plan_of, run_tiny, tiny_stage, tiny_store, write_sweep

from orchestrator.cli import main
from orchestrator.results.training_data import training_data
from orchestrator.store.sweep_record import record_of


def feeding_stage(identity, context):
    """The tiny stages; training leaves what it was fed, more of it with seed 1."""
    tiny_stage(identity, context)
    if identity.kind != "train":
        return
    (share,) = identity.data
    drawn = 1600 + 800 * identity.seed
    told = {
        "ended_early": identity.seed == 1,
        "skipped": 3 * identity.seed,
        "drawn": drawn,
        "sets": [{"set": share.sets[0], "size": 400, "drawn": drawn, "epochs": drawn / 400}],
    }
    (context.out / "fed.json").write_text(json.dumps(told))


@pytest.fixture
def fed(tmp_path):
    """A sweep that ran, and its store."""
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store, run_stage=feeding_stage)
    return sweep, store


def test_each_set_is_told_by_its_name_in_the_sweep_and_each_stage_counts_once(fed):
    sweep, store = fed
    (align,) = training_data(record_of(plan_of(sweep, store)), store)
    assert align == {
        "stage": "align",
        "trained": 8,  # two designs at two scales with two seeds
        "ended_early": 4,
        "skipped": {"least": 0, "median": 1.5, "most": 3},
        "sets": [
            {
                "set": "captions",
                "size": 400,
                "stages": 8,
                "drawn": {"least": 1600, "median": 2000, "most": 2400},
                "epochs": {"least": 4.0, "median": 5.0, "most": 6.0},
                "share": {"least": 100.0, "median": 100.0, "most": 100.0},
            }
        ],
    }


def test_a_sweep_that_has_not_trained_yet_tells_of_no_data(tmp_path):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    assert training_data(record_of(plan_of(sweep, store)), store) == []


def test_the_report_of_a_sweep_says_how_often_each_set_was_seen(fed, tmp_path, monkeypatch):
    sweep, store = fed
    words = ["apollo", "report", sweep, "--out", tmp_path / "out", "--store", store.root]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert not stopped.value.code
    (align,) = json.loads((tmp_path / "out" / "report.json").read_text())["data"]
    assert align["sets"][0]["set"] == "captions"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>Training data</h2>" in page
    assert ">5.00 (4.00 to 6.00)<" in page
    assert "4 of 8 stages ended with their data" in page
