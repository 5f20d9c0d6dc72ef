"""`apollo gc` and the data that lie in a store, and what a pull has left."""

import os

from tiny_sweeps import plan_of, run_tiny, write_sweep
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.store.gc import orphans, remove_orphans
from orchestrator.store.store import PULLED, Store
from orchestrator.store.sweep_record import record_of, register

LONG_AGO = 1_000_000_000


def folder_of_data(store, name):
    folder = store.root / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seen.json").write_text("{}")
    os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def test_data_that_no_sweep_refers_to_are_listed_and_removed(tmp_path):
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path)
    plan = plan_of(sweep, store)
    register(store, record_of(plan), sweep.read_text())
    own = folder_of_data(store, plan.media_root.relative_to(store.root))
    other, mirror = (folder_of_data(store, name) for name in ("worlds/old", "remote/old"))
    young = folder_of_data(store, "remote/young")
    os.utime(young)
    assert [each.key for each in orphans(store)] == ["worlds/old", "remote/old"]
    said = CliRunner().invoke(app, ["gc", "--store", str(store.root)]).stdout
    assert "remote/old" in said
    assert "0 stages and 2 folders of data removed, 4 bytes" in said
    assert own.exists()
    assert young.exists()
    assert not other.exists()
    assert not mirror.exists()


def test_data_stay_where_a_record_does_not_tell_which_it_uses(tmp_path):
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path)
    record = record_of(plan_of(sweep, store)).model_copy(update={"data": None})
    register(store, record, sweep.read_text())
    folder_of_data(store, "remote/old")
    assert orphans(store) == []


def test_what_a_pull_has_left_of_a_stage_that_is_done_goes(tmp_path):
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path)
    run_tiny(sweep, store)
    first, *_ = plan_of(sweep, store).stages
    left = store.attempts_folder(first) / PULLED
    left.mkdir(parents=True)
    (left / "model.safetensors").write_bytes(b"x" * 10)
    assert [(each.key, each.bytes, each.kind) for each in orphans(store)] == [
        (first, 10, "leftovers")
    ]
    remove_orphans(store, orphans(store))
    assert not left.exists()
