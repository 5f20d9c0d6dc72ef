"""`apollo ui`: the MLflow server on a store's database, on this machine's loopback only."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys

from apollo_core.errors import BadInput
from orchestrator.store.store import Store
from orchestrator.tracking.tracking_database import damage, database, default_uri

HOST = "127.0.0.1"
# Seconds in which a server may end by itself; it writes nothing then that could be lost.
_GRACE = 3.0


def addresses(store: Store, *, port: int) -> dict[str, str]:
    """Sweep -> address of its runs; MLflow's own start page shows something else first.

    Raises:
        BadInput: the database is damaged.
    """
    path = database(store)
    if not path.is_file():
        return {}
    if why := damage(path):
        raise BadInput(
            f"{path} cannot be used ({why}); `apollo sync SWEEP` sets it aside and rebuilds the "
            "view from the store"
        )
    wanted = "select name, experiment_id from experiments where lifecycle_stage = 'active'"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(wanted + " and experiment_id <> 0 order by name").fetchall()
    place = f"http://{HOST}:{port}/#/experiments/{{}}/runs?workflowType=machine_learning"
    return {name: place.format(number) for name, number in rows}


def serve(store: Store, *, port: int) -> int:
    """Show the store's runs at `http://127.0.0.1:PORT` until interrupted; return the exit code.

    Raises:
        BadInput: no sweep of this store has been tracked here.
    """
    path = database(store)
    if not path.is_file():
        raise BadInput(
            f"{path} is not there: run a sweep first, or `apollo sync SWEEP`; runs sent to "
            "another --tracking-uri are shown by that server"
        )
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", default_uri(store)]
    command += ["--default-artifact-root", (store.root / "mlflow-artifacts").as_uri()]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "PYTHONWARNINGS": "ignore",  # of MLflow's own dependencies, to nobody who could act on it
    }
    # Whatever ends this process ends the server with it.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    # A session of its own: Ctrl-C is for this process, which then ends the server and its workers.
    with subprocess.Popen(command, env=environment, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            _end(process)
            return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and all its workers; a page that is still open may not hold it up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
