"""The view on PostgreSQL: directly, and behind an MLflow server, as teams have it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import postgres
import pytest
from test_tracking import view
from tiny_sweeps import diverging_stage, plan_of, run_tiny, tiny_store, write_sweep

from orchestrator.store.sweep_record import record_of
from orchestrator.tracking import tracking
from orchestrator.tracking.run_tracking import RunTracking
from orchestrator.tracking.tracking import sync
from orchestrator.tracking.tracking_database import default_uri

pytest.importorskip("pg8000")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not postgres.is_there(), reason="no PostgreSQL: apt-get install postgresql"),
]

PASSWORD = "pg-secret-word"


@pytest.fixture(scope="module")
def database():
    """The address of a database of a server that runs for these tests."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        with postgres.postgres(folder, password=PASSWORD) as uri:
            yield uri
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server(database, tmp_path_factory):
    """The address of an MLflow server that keeps what it is told in that database."""
    folder = tmp_path_factory.mktemp("server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", database]
    command += ["--artifacts-destination", str(folder), "--serve-artifacts"]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        end = time.monotonic() + 120
        while not _answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its workers; what it wrote lies elsewhere
        process.wait()


def _answers(address):
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False


def test_the_view_on_a_server_with_postgresql_is_the_one_on_sqlite(
    server, database, tmp_path, monkeypatch
):
    # What is written counts here, and a machine that is busy with other tests may take its time.
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setattr(tracking, "_PATIENCE", 90.0)
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    record = record_of(plan_of(sweep, store))
    following = RunTracking(store, server)
    # Followed while it runs, in the middle of which a replicate fails.
    run_tiny(sweep, store, run_stage=diverging_stage, on_start=following.start)
    assert following.close() is None
    sync(record, store, server)
    sync(record, store, None)
    on_server = view(server)
    assert on_server == view(default_uri(store))
    # The same rows without the server in between; the password is nowhere in the store.
    sync(record, store, database)
    assert view(database) == on_server
    kept = [path for path in store.root.rglob("*") if path.is_file()]
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
