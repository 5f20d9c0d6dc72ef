import socket
import sys
import time

import pytest
from tiny_sweeps import diverging_stage, plan_of, run_tiny, tiny_stage, tiny_store, write_sweep

from orchestrator.cli import main
from orchestrator.store.sweep_record import record_of
from orchestrator.tracking import tracking
from orchestrator.tracking.kept_report import keep_report
from orchestrator.tracking.mlflow_writer import open_client
from orchestrator.tracking.run_tracking import RunTracking
from orchestrator.tracking.tracked_points import is_shown, thinned
from orchestrator.tracking.tracking import TrackingError, is_tracked, sync
from orchestrator.tracking.tracking_database import database, default_uri
from orchestrator.tracking.tracking_uri import require_tracking_uri

# MLflow and what it stands on warn of their own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A sweep of which one seed diverged, and its view."""
    folder = tmp_path_factory.mktemp("tracked")
    sweep, store = write_sweep(folder), tiny_store(folder)
    run_tiny(sweep, store, run_stage=diverging_stage)
    record = record_of(plan_of(sweep, store))
    sync(record, store, None)
    return sweep, store, record


def runs_of(uri, name="tiny"):
    client = open_client(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return client, client.search_runs([experiment.experiment_id])


def view(uri):
    """What a view shows of each replicate, but for ids and the times of writing."""
    client, runs = runs_of(uri)
    shown = {}
    for run in runs:
        if "variant_id" not in run.data.tags:
            continue
        metrics = {
            name: [(m.step, m.value, m.timestamp) for m in sorted(history, key=lambda m: m.step)]
            for name in run.data.metrics
            if (history := client.get_metric_history(run.info.run_id, name))
        }
        tags = {name: text for name, text in run.data.tags.items() if "mlflow." not in name}
        shown[run.data.tags["variant_id"]] = (run.data.params, tags, metrics, run.info.status)
    return shown


def test_a_sweep_is_one_run_with_its_replicates_nested(finished):
    _, store, record = finished
    _, runs = runs_of(default_uri(store))
    (parent,) = [run for run in runs if run.data.tags.get("kind") == "sweep"]
    nested = [run for run in runs if run.data.tags.get("kind") == "replicate"]
    assert {run.data.tags["variant_id"] for run in nested} == {v.id for v in record.variants}
    assert {run.data.tags["mlflow.parentRunId"] for run in nested} == {parent.info.run_id}


def test_a_replicate_tells_its_design_levels_scale_seed_stages_and_status(finished):
    _, store, record = finished
    params, tags, metrics, status = view(default_uri(store))["integration=plain@xs#0"]
    assert params["integration"] == "plain"
    assert params["sampling.frames"] == "4"
    assert params["encoders"] == "siglip"
    assert (tags["axis.integration"], tags["scale"], tags["seed"]) == ("plain", "xs", "0")
    assert (tags["status"], status) == ("done", "FINISHED")
    variant = next(v for v in record.variants if v.id == "integration=plain@xs#0")
    assert set(variant.stages) <= set(tags.values())
    assert "bench/video/overall" in metrics
    assert "bench/text/temporal ocr" in metrics


def test_a_replicate_tells_what_was_trained_on_what_and_how(finished):
    _, store, _ = finished
    params, *_ = view(default_uri(store))["base@xs#0"]
    assert params["llm"] == "micro:qwen2-xs"
    assert params["stages.align.lr.connector"] == "0.001"
    assert params["stages.align.samples"] == "1600"
    assert params["stages.align.batch_size"] == "4"
    assert params["stages.align.data"] == "100: captions.jsonl"
    assert params["stages.align.sampling.mode"] == "uniform"
    assert params["stages.bench.data"] == "bench.jsonl"
    assert params["stages.bench.scoring"] == "options"
    assert any(name.startswith("stages.pretrain micro") for name in params)


def test_a_failed_replicate_says_why(finished):
    _, store, _ = finished
    _, tags, _, status = view(default_uri(store))["base@s#1"]
    assert (tags["status"], tags["failure_class"], status) == ("failed", "diverged", "FAILED")


def test_a_metric_has_at_most_100_points_with_the_first_and_the_last(finished):
    _, store, _ = finished
    _, _, metrics, _ = view(default_uri(store))["base@xs#0"]
    steps = [step for step, _, _ in metrics["align/loss"]]
    assert (steps[0], steps[-1]) == (1, 400)
    assert 70 < len(steps) <= 100


@pytest.mark.parametrize("steps", [1, 2, 97, 98, 99, 100, 101, 199, 12345])
def test_thinning_never_shows_more_than_100_steps(steps):
    shown = [step for step in range(1, steps + 1) if is_shown(step, steps)]
    assert len(shown) <= 100
    assert shown[0] == 1
    assert shown[-1] == steps


def test_text_and_flags_are_no_metrics():
    (point,) = thinned([{"step": 1, "steps": 1, "time": 2.0, "loss": 3, "a": "b", "c": True}])
    assert (point.name, point.value, point.step, point.time_ms) == ("loss", 3.0, 1, 2000)


def test_a_stage_that_replicates_share_shows_in_each_of_them(finished):
    _, store, _ = finished
    shown = view(default_uri(store))
    names = ["base@xs#0", "integration=plain@xs#0"]
    series = [shown[name][2]["pretrain/loss"] for name in names]
    assert series[0] == series[1]
    assert len(series[0]) == 3


def test_the_view_rebuilt_from_the_store_equals_the_first_and_writing_twice_adds_nothing(
    finished, tmp_path
):
    _, store, record = finished
    other = f"sqlite:///{tmp_path / 'other.db'}"
    sync(record, store, other)
    sync(record, store, other)
    assert view(other) == view(default_uri(store))


def test_a_resumed_run_finds_its_replicates_again_and_finishes_them(tmp_path):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store, only=("base@xs#0",))
    record = record_of(plan_of(sweep, store))
    following = RunTracking(store, None)
    following.start(record, 1)
    assert following.close() is None
    before = {run.info.run_id for run in runs_of(default_uri(store))[1]}
    run_tiny(sweep, store)
    assert not is_tracked(record, store, None)
    following.start(record, 1)
    assert following.close() is None
    after = runs_of(default_uri(store))[1]
    assert {run.info.run_id for run in after} == before
    assert {run.info.status for run in after} == {"FINISHED"}
    assert is_tracked(record, store, None)


def test_a_curve_appears_while_its_stage_trains(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "_EVERY", 0.1)
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    seen = []

    def watched(identity, context):
        if identity.kind == "train" and not seen:
            context.report({"step": 1, "steps": 2, "loss": 2.5})
            deadline = time.monotonic() + 20
            while not seen and time.monotonic() < deadline:
                seen.extend(losses(store))
                time.sleep(0.1)
        tiny_stage(identity, context)

    following = RunTracking(store, None)
    run_tiny(sweep, store, run_stage=watched, on_start=following.start, only=("base@xs#0",))
    assert following.close() is None
    assert seen == [2.5]


def losses(store):
    """The last loss of each run that is still going on and has one."""
    if not database(store).is_file():
        return []
    client = open_client(default_uri(store))
    experiment = client.get_experiment_by_name("tiny")
    runs = client.search_runs([experiment.experiment_id]) if experiment else []
    going_on = [run.data.metrics for run in runs if run.info.status == "RUNNING"]
    return [metrics["align/loss"] for metrics in going_on if "align/loss" in metrics]


def test_a_replicate_whose_design_changed_gets_a_run_of_its_own(tmp_path):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store)
    sync(record_of(plan_of(sweep, store)), store, None)
    sweep.write_text(
        sweep.read_text().replace("integration: timestamps", "integration: separators")
    )
    sync(record_of(plan_of(sweep, store)), store, None)
    runs = [run for run in runs_of(default_uri(store))[1] if "variant_id" in run.data.tags]
    base = [run for run in runs if run.data.tags["variant_id"] == "base@xs#0"]
    assert sorted(run.data.tags["superseded"] for run in base) == ["no", "yes"]


def test_a_reports_own_files_are_in_every_view_of_the_sweep_and_no_others(finished, tmp_path):
    _, store, record = finished
    own = [tmp_path / "report.html", tmp_path / "figures" / "a.png"]
    (tmp_path / "figures").mkdir()
    for path in (*own, tmp_path / "secret.txt", tmp_path / "figures" / "mine.png"):
        path.write_text("text")
    keep_report(store, record.name, own, folder=tmp_path)
    # The files that were written may go; a view made anew has the report again.
    (tmp_path / "report.html").unlink()
    for uri in (default_uri(store), f"sqlite:///{tmp_path / 'other.db'}"):
        sync(record, store, uri)
        client, runs = runs_of(uri)
        (parent,) = [run for run in runs if run.data.tags.get("kind") == "sweep"]
        found = {
            each.path
            for folder in ("report", "report/figures")
            for each in client.list_artifacts(parent.info.run_id, folder)
        }
        assert found == {"report/report.html", "report/figures", "report/figures/a.png"}


@pytest.fixture
def dead_server():
    """The URI of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"http://user:secret@127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_is_down_fails_and_delays_nothing(finished, dead_server, monkeypatch):
    monkeypatch.setattr(tracking, "_PATIENCE", 1.0)
    _, store, record = finished
    following = RunTracking(store, dead_server)
    following.start(record, 1)
    began = time.monotonic()
    behind = following.close()
    assert time.monotonic() - began < 2
    assert behind is not None
    assert "apollo sync" in behind
    assert "secret" not in behind


def test_a_server_that_is_down_is_told_once_at_the_first_try_that_fails(finished, monkeypatch):
    monkeypatch.setattr(tracking, "_EVERY", 0.05)
    _, store, record = finished
    said = []
    following = RunTracking(store, "http://user:secret@127.0.0.1:1", warn=said.append)
    following.start(record, 1)
    deadline = time.monotonic() + 20
    while not said and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    assert said == [
        "the MLflow view at http://***@127.0.0.1:1 cannot be written (Connection refused); work "
        "goes on, and the view follows when it can"
    ]
    assert "is behind" in (following.close() or "")


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("foo", "no address of a tracking server"),
        ("ftp://me:secret@host/x", "no address of a tracking server"),
        ("http:/host", "names no host"),
        ("http://me:secret@host:port", "names no host, or no port"),
        ("sqlite:runs.db", "Could not parse"),
        ("postgresql+nothing://me:secret@host/x", "Can't load plugin"),
    ],
)
def test_what_can_be_no_tracking_server_is_refused_before_any_work(
    uri, why, tmp_path, monkeypatch, capsys
):
    sweep, store = write_sweep(tmp_path), tmp_path / "store"
    for command in (["run"], ["sync"], ["report", "--out", str(tmp_path / "report")]):
        words = [*command, str(sweep), "--tracking-uri", uri, "--store", str(store)]
        monkeypatch.setattr(sys, "argv", ["apollo", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr().err
        assert (stopped.value.code, len(said.splitlines())) == (2, 1)
        assert why in said
        assert "secret" not in said
    assert not store.exists()


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1", "https://u:p@host/x", "sqlite:///a.db", "postgresql+pg8000://h/d"]
)
def test_a_server_that_may_be_down_is_no_reason_to_refuse(uri):
    require_tracking_uri(uri)
    require_tracking_uri(None)


@pytest.mark.parametrize("scheme", ["http", "postgresql+pg8000"])
def test_sync_to_a_server_that_is_down_says_so_in_one_line_without_the_password(finished, scheme):
    _, store, record = finished
    with pytest.raises(TrackingError) as raised:
        sync(record, store, f"{scheme}://user:secret@127.0.0.1:1/x")
    assert str(raised.value) == (
        f"the tracking server {scheme}://***@127.0.0.1:1/x cannot be written to: Connection "
        "refused; the store has everything, so sync again when it is back"
    )
