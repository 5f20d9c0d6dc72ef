"""`apollo gc` and the features of frozen encoders; and how they reach the stages of a run."""

import fcntl

import pytest
from tiny_sweeps import plan_of, run_tiny, write_sweep
from typer.testing import CliRunner

from apollo_core.features.feature_use import IN_USE, FeatureUse
from orchestrator.cli import app
from orchestrator.cost.feature_bytes import plan_features
from orchestrator.cost.speeds import Speeds
from orchestrator.plan.feature_keys import all_feature_keys
from orchestrator.store.gc import orphans, remove_orphans
from orchestrator.store.store import Store

UNKNOWN = "0" * 64


@pytest.fixture
def store(tmp_path):
    """A store with a sweep that ran, its features, and features of no sweep."""
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path)
    run_tiny(sweep, store)
    for key in (UNKNOWN, all_feature_keys(plan_of(sweep, store))[0]):
        folder = store.features / key / "here"
        folder.mkdir(parents=True)
        (folder / "shard.data").write_bytes(b"x" * 1000)
        (folder.parent / IN_USE).touch()
    return store


def test_features_that_no_sweep_refers_to_are_listed_and_removed(store):
    assert [(each.key, each.bytes, each.kind) for each in orphans(store)] == [
        (UNKNOWN, 1000, "features")
    ]
    command = ["gc", "--store", str(store.root)]
    listed = CliRunner().invoke(app, [*command, "--dry-run"]).stdout
    assert "0 stages and the features of 1 encoder would be removed, 1,000 bytes" in listed
    assert (store.features / UNKNOWN).exists()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert len(list(store.features.iterdir())) == 1
    assert orphans(store) == []


def test_features_in_use_stay(store):
    with (store.features / UNKNOWN / IN_USE).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert orphans(store) == []
        assert remove_orphans(store, orphans(store)) == []
    assert (store.features / UNKNOWN).exists()
    assert [each.key for each in remove_orphans(store, orphans(store))] == [UNKNOWN]


def test_what_the_plan_keeps_reaches_each_stage(tmp_path):
    store = Store(tmp_path / "store")
    sweep = write_sweep(tmp_path)
    plan = plan_of(sweep, store)
    uses = plan_features(plan, Speeds(1e9, 1e9, "", "")).use(str(store.features))
    given: list[FeatureUse | None] = []

    def note(identity, context):
        given.append(context.features and context.features.use)
        (context.out / "nothing.txt").touch()

    run_tiny(sweep, store, run_stage=note, features=uses)
    reading = [use for use in given if use is not None]
    assert len(reading) == len(uses) > 0
    assert {use.folder for use in reading} == {str(store.features)}
    assert len(given) == len(plan.stages)
