"""A tracking server that is down for the whole run: the view comes later, and is the same."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from tiny_study import Study

from orchestrator.results.score_table import score_rows
from orchestrator.store.sweep_record import SweepRecord, record_of, register
from orchestrator.tracking.mlflow_writer import open_client
from orchestrator.tracking.run_tracking import RunTracking
from orchestrator.tracking.tracking import sync
from orchestrator.tracking.tracking_database import default_uri

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def start_server(port, tmp_path):
    """Start an MLflow server on that port; it ends with the test."""
    started: list[subprocess.Popen] = []

    def start() -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
        command += ["--artifacts-destination", str(tmp_path / "artifacts"), "--serve-artifacts"]
        process = subprocess.Popen(
            command,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        started.append(process)
        end = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)  # with its workers; what it wrote lies elsewhere
        process.wait()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
            return True
    except OSError:
        return False


def view(uri: str, record: SweepRecord) -> dict[str, tuple]:
    """What is shown of each replicate, but for ids and the times of writing."""
    client = open_client(uri)
    experiment = client.get_experiment_by_name(record.name)
    assert experiment
    shown = {}
    for run in client.search_runs([experiment.experiment_id]):
        tags = {name: text for name, text in run.data.tags.items() if "mlflow." not in name}
        if "variant_id" in tags:
            histories = {
                name: sorted(
                    (each.step, each.value, each.timestamp)
                    for each in client.get_metric_history(run.info.run_id, name)
                )
                for name in run.data.metrics
            }
            shown[tags["variant_id"]] = (run.data.params, tags, histories, run.info.status)
    return shown


def test_a_tracking_server_that_is_down_all_the_while_shows_the_same_after_sync(
    undisturbed, tmp_path, port, start_server
):
    study: Study = undisturbed.copy(tmp_path)
    study.forget("sft", "evaluate")
    record = record_of(study.plan())
    register(study.store, record, study.file.read_text())
    uri = f"http://me:server-secret@127.0.0.1:{port}"

    following = RunTracking(study.store, uri)
    following.start(record, 4)
    assert {outcome.status for outcome in study.run()} == {"done"}
    behind = following.close()
    assert behind
    assert "apollo sync" in behind
    assert "server-secret" not in behind
    assert score_rows(record, study.store) == undisturbed.scores()

    start_server()
    address = f"http://127.0.0.1:{port}"
    sync(record, study.store, address)
    sync(record, study.store, default_uri(study.store))
    assert len(view(address, record)) == 2
    assert view(address, record) == view(default_uri(study.store), record)
