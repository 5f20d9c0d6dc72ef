import json
import subprocess
import sys

import pandas as pd
import pytest
from tiny_sweeps import SWEEP, diverging_stage, plan_of, run_tiny, tiny_store, write_sweep

from orchestrator.checkup import installation
from orchestrator.cli import main
from orchestrator.tracking.mlflow_ui import addresses
from orchestrator.tracking.mlflow_writer import open_client

# What MLflow and the figures stand on warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    sweep, store = write_sweep(folder), tiny_store(folder)
    run_tiny(sweep, store, run_stage=diverging_stage)
    return sweep, store


@pytest.fixture
def apollo(monkeypatch, capsys):
    """Run a command line; return (exit code, stdout, stderr)."""

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["apollo", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return call


def test_status_as_json_is_one_document_and_exits_0(ran, apollo):
    sweep, store = ran
    code, out, _ = apollo("status", sweep, "--store", store.root, "--json")
    document = json.loads(out)
    assert code == 0
    assert document["name"] == "tiny"
    assert sum(document["stages"].values()) == len(plan_of(sweep, store).stages)
    assert {failure["class"] for failure in document["failures"]} == {"diverged"}


def test_status_in_words_says_why_a_stage_failed(ran, apollo):
    sweep, store = ran
    _, out, _ = apollo("status", sweep, "--store", store.root)
    assert "diverged, attempt 1: loss is NaN at step 7" in out


def test_status_of_a_sweep_that_never_ran_has_everything_waiting(ran, apollo, tmp_path):
    sweep, _ = ran
    _, out, _ = apollo("status", sweep, "--store", tmp_path / "fresh", "--json")
    stages = json.loads(out)["stages"]
    assert stages["waiting"] > 0
    assert stages["done"] == stages["failed"] == 0
    assert not (tmp_path / "fresh").exists()


def test_an_unknown_name_exits_2_with_one_message(ran, apollo):
    _, store = ran
    code, out, err = apollo("status", "nosuch", "--store", store.root)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Known: tiny" in err


def test_a_known_name_is_found_where_a_folder_is_called_the_same(
    ran, apollo, tmp_path, monkeypatch
):
    _, store = ran
    (tmp_path / "tiny").mkdir()
    monkeypatch.chdir(tmp_path)
    code, out, _ = apollo("status", "tiny", "--store", store.root)
    assert code == 0
    assert out.startswith("tiny: ")


def test_a_store_that_is_a_file_exits_2(ran, apollo):
    sweep, _ = ran
    for command in ("run", "status"):
        code, _, err = apollo(command, sweep, "--store", sweep)
        assert code == 2
        assert "--store" in err


def test_run_with_an_unknown_replicate_exits_2_and_writes_nothing(ran, apollo, tmp_path):
    sweep, _ = ran
    code, _, err = apollo("run", sweep, "--store", tmp_path / "s", "--only", "bass@xs#0")
    assert code == 2
    assert "base@xs#0" in err
    assert not (tmp_path / "s").exists()


def test_report_on_a_sweep_writes_report_scores_and_items(ran, apollo, tmp_path):
    sweep, store = ran
    code, out, _ = apollo("report", sweep, "--out", tmp_path / "r", "--store", store.root)
    assert code == 0
    names = {path.name for path in (tmp_path / "r").iterdir()}
    assert {"report.html", "report.json", "scores.csv", "items.csv.gz"} <= names
    items = pd.read_csv(tmp_path / "r" / "items.csv.gz")
    assert {"design", "scale", "seed", "benchmark", "correct", "n_options"} <= set(items.columns)
    assert "apollo ui --store" in out
    provenance = json.loads((tmp_path / "r" / "report.json").read_text())["provenance"]
    assert provenance["sweep"] == "tiny"


def test_a_report_goes_to_the_tracking_server_that_is_named(ran, apollo, tmp_path):
    sweep, store = ran
    uri = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    words = ["--out", tmp_path / "r", "--tracking-uri", uri]
    code, out, err = apollo("report", sweep, "--store", store.root, *words)
    assert (code, err) == (0, "")
    assert "apollo ui" not in out
    client = open_client(uri)
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    (parent,) = client.search_runs([experiment.experiment_id], "tags.kind = 'sweep'")
    names = {each.path for each in client.list_artifacts(parent.info.run_id, "report")}
    assert {"report/report.html", "report/scores.csv", "report/items.csv.gz"} <= names


def test_a_finished_sweep_of_one_scale_gets_a_report(apollo, tmp_path):
    text = SWEEP.replace('  s: {llm: "micro:qwen2-s", size: 0.000070}\n', "")
    sweep, store = write_sweep(tmp_path, text), tiny_store(tmp_path)
    run_tiny(sweep, store)
    code, out, _ = apollo("report", sweep, "--store", store.root, "--out", tmp_path / "r")
    assert code == 0
    assert "one scale only" in out


def test_a_report_into_a_place_that_cannot_be_written_exits_2(ran, apollo):
    sweep, store = ran
    code, _, err = apollo("report", sweep, "--store", store.root, "--out", sweep / "inner")
    assert code == 2
    assert err.count("\n") == 1


def test_the_plain_install_cannot_sync_or_show_and_makes_no_store(apollo, tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "NEEDED", ("no-such-package",))
    for words in (["sync", "tiny"], ["ui"]):
        code, _, err = apollo(*words, "--store", tmp_path / "store")
        assert code == 2
        assert "apollo-sweeps[sweep]" in err
    assert not (tmp_path / "store").exists()


def test_report_takes_a_sweep_or_scores_and_not_both_or_none(ran, apollo, tmp_path):
    sweep, _ = ran
    for words in ([], [sweep, "--scores", sweep]):
        code, _, err = apollo("report", *words, "--out", tmp_path)
        assert code == 2
        assert "--scores" in err


def test_a_table_that_cannot_be_read_exits_2(apollo, tmp_path):
    code, _, err = apollo("report", "--scores", tmp_path / "none.csv", "--out", tmp_path / "r")
    assert code == 2
    assert "none.csv" in err


def test_sync_rebuilds_the_view(ran, apollo):
    _, store = ran
    code, out, _ = apollo("sync", "tiny", "--store", store.root)
    assert code == 0
    assert "8 replicates" in out
    shown = addresses(store, port=5001)["tiny"]
    assert shown.startswith("http://127.0.0.1:5001/#/experiments/1/runs")


def test_gc_lists_nothing_of_a_sweep_that_ran(ran, apollo):
    _, store = ran
    assert apollo("gc", "--dry-run", "--store", store.root)[:2] == (
        0,
        "0 stages would be removed, 0 bytes\n",
    )


def test_gc_and_unknown_names_work_in_a_store_whose_runs_checked_media(ran, apollo):
    _, store = ran
    (store.root / "sweeps" / "tiny" / "checked-media.json").write_text('{"manifest:1": "m.jsonl"}')
    assert apollo("gc", "--dry-run", "--store", store.root)[0] == 0
    code, _, err = apollo("status", "nosuch", "--store", store.root)
    assert code == 2
    assert "Known: tiny" in err


def test_gc_of_a_folder_that_is_no_store_exits_2(apollo, tmp_path):
    for place in (tmp_path / "typo", tmp_path):
        code, out, err = apollo("gc", "--store", place)
        assert (code, out) == (2, "")
        assert f"store {place}: no store is there" in err
    assert not any(tmp_path.iterdir())


def test_ui_without_a_view_says_how_to_get_one(apollo, tmp_path):
    code, _, err = apollo("ui", "--store", tmp_path)
    assert code == 2
    assert "apollo sync" in err


def test_ui_on_a_damaged_view_says_so_in_one_message(apollo, tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database, but more than sixteen bytes of text")
    code, _, err = apollo("ui", "--store", tmp_path)
    assert code == 2
    assert err.count("\n") == 1
    assert "apollo sync" in err


def test_doctor_names_what_it_found(apollo, tmp_path):
    code, out, _ = apollo("doctor", "--no-ray", "--store", tmp_path / "store")
    assert code == 0
    assert "no torchvision" in out


def test_check_data_names_bad_files_and_exits_1(apollo, tmp_path):
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "That."}]
    rows = [{"id": "1", "video": "gone.mp4", "conversations": turns}]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, _ = apollo("check-data", manifest, "--root", tmp_path, "--json")
    assert code == 1
    assert json.loads(out)["missing"] == ["gone.mp4"]


def test_no_command_loads_what_its_help_does_not_need():
    code = (
        "import sys; from orchestrator.cli import main; sys.argv = ['apollo', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ray', 'mlflow', 'pandas', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_bad_media_stop_a_run_before_any_stage(apollo, tmp_path):
    turns = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "That."}]
    (tmp_path / "empty.mp4").write_bytes(b"")
    asked = {"question": "What?", "options": ["This", "That"], "answer": "B", "category": "c"}
    for name in ("captions", "bench", "corpus", "image_captions"):
        told = asked if name == "bench" else {"conversations": turns}
        row = {"id": "1", "video": "empty.mp4", **told}
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(row) + "\n")
    text = SWEEP.replace("  microworld: {train_videos: 1", f"  root: {tmp_path}\n  #")
    store = tmp_path / "store"
    code, _, err = apollo("run", write_sweep(tmp_path, text), "--store", store)
    assert code == 2
    assert "empty.mp4" in err
    assert not list((store / "attempts").glob("*"))


@pytest.mark.parametrize("size", ["0", "1B", "999kB", "-1GB", "2PB", "much"])
def test_files_of_weights_may_not_be_tiny_or_of_no_size(apollo, tmp_path, size):
    out = tmp_path / "out"
    code, _, err = apollo("export", "any.yaml", "base@s#0", out, f"--shard-size={size}")
    assert code == 2
    assert "--shard-size" in err
    assert not out.exists()
