import contextlib
import logging
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from tiny_sweeps import plan_of, run_tiny, tiny_store, write_sweep

from orchestrator.store.sweep_record import record_of
from orchestrator.tracking.mlflow_ui import addresses
from orchestrator.tracking.tracking import is_tracked, sync
from orchestrator.tracking.tracking_database import damage, database

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("database")
    sweep, store = write_sweep(folder), tiny_store(folder)
    run_tiny(sweep, store, only=("base@xs#0",))
    return store, record_of(plan_of(sweep, store))


def half_migrated(path):
    """What a kill in the middle of a migration leaves."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table experiments (name text)")
        connection.execute("create table _alembic_tmp_model_version_tags (name text)")
        connection.commit()


def of_another_revision(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("update alembic_version set version_num = '0a8213491aaa'")
        connection.commit()


@pytest.mark.parametrize(
    "spoil",
    [
        half_migrated,
        lambda path: path.write_bytes(b"no database, but more than sixteen bytes of text"),
        lambda path: path.write_bytes(b""),
    ],
)
def test_a_damaged_database_is_set_aside_with_one_warning_and_rebuilt(ran, spoil, caplog):
    store, record = ran
    path = database(store)
    path.unlink(missing_ok=True)
    spoil(path)
    before = set(store.root.glob("mlflow.db.broken-*"))
    with caplog.at_level(logging.WARNING, logger="orchestrator"):
        sync(record, store, None)
        sync(record, store, None)
    assert not damage(path)
    assert "tiny" in addresses(store, port=5000)
    assert len(set(store.root.glob("mlflow.db.broken-*")) - before) == 1
    assert len([each for each in caplog.records if each.name.startswith("orchestrator")]) == 1
    assert is_tracked(record, store, None)


def test_a_database_of_a_revision_that_mlflow_refuses_is_rebuilt_too(ran):
    store, record = ran
    sync(record, store, None)
    before = set(store.root.glob("mlflow.db.broken-*"))
    of_another_revision(database(store))
    code = (
        "import sys; from orchestrator.cli import main;"
        f"sys.argv = ['apollo', 'sync', 'tiny', '--store', {str(store.root)!r}]; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be used") == 1
    assert len(set(store.root.glob("mlflow.db.broken-*")) - before) == 1


def test_a_kill_while_the_database_is_made_leaves_none_and_the_next_makes_it(ran):
    store, record = ran
    path = database(store)
    path.unlink(missing_ok=True)
    code = (
        "from pathlib import Path; from orchestrator.store.store import Store;"
        "from orchestrator.tracking.mlflow_writer import open_own;"
        f"open_own(Store(Path({str(store.root)!r})))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) as making:
        end = time.monotonic() + 60
        while not any(p.stat().st_size for p in store.root.glob("mlflow.db.new-*")):
            assert time.monotonic() < end
            time.sleep(0.01)
        making.send_signal(signal.SIGKILL)
    assert not path.exists()
    sync(record, store, None)
    assert not damage(path)
    assert not list(store.root.glob("mlflow.db.new-*"))
