"""`apollo gc` and sweep files that changed: what only an older version of a sweep refers to."""

import os
import time

import pytest
from tiny_sweeps import SWEEP, plan_of, run_tiny, tiny_store, write_sweep
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.plan.feature_keys import all_feature_keys
from orchestrator.store import lease
from orchestrator.store.gc import orphans, remove_orphans
from orchestrator.store.references import references
from orchestrator.store.sweep_record import record_of, register

NOW = SWEEP.replace("seeds: [0, 1]", "seeds: [0]")
LEVEL = "    plain: {integration: plain}\n"
WHOLE = NOW.replace(
    LEVEL, f"{LEVEL}  resampler:\n    two: {{resampler: {{tokens_per_frame: 2}}}}\n"
)


@pytest.fixture
def dropped(tmp_path):
    """A store in which a level ran and was taken out of the sweep; keys of what only it needs."""
    store = tiny_store(tmp_path)
    sweep = write_sweep(tmp_path, WHOLE)
    run_tiny(sweep, store)
    whole = set(plan_of(sweep, store).stages)
    smaller = write_sweep(tmp_path, NOW)
    run_tiny(smaller, store)
    return store, whole - set(plan_of(smaller, store).stages)


def gc(store, *options):
    ended = CliRunner().invoke(app, ["gc", "--store", str(store.root), *options])
    assert ended.exit_code == 0
    return ended


def test_a_level_that_was_taken_out_is_listed_with_the_version_that_had_it(dropped):
    store, only_its = dropped
    listed = orphans(store)
    assert {each.key for each in listed} == only_its
    assert len(only_its) > 2
    (place,) = {each.older.place for each in listed if each.older}
    assert (store.root / place).read_text() == WHOLE
    said = gc(store, "--dry-run").stdout.splitlines()
    assert said[0].startswith(f"No longer in tiny, but in {place}, last run 2")
    assert any("  align resampler=two@xs#0" in line for line in said)
    assert said[-2] == "0 stages would be removed, 0 bytes"
    assert said[-1].startswith(f"{len(only_its)} stages of older versions kept, ")
    assert said[-1].endswith("; `apollo gc --older-versions` removes these too")


def test_what_an_older_version_needs_goes_only_where_that_is_said(dropped):
    store, only_its = dropped
    before = set(store.done_keys())
    gc(store)
    assert set(store.done_keys()) == before
    gc(store, "--older-versions", "--dry-run")
    assert set(store.done_keys()) == before
    said = gc(store, "--older-versions").stdout
    assert f"{len(only_its)} stages removed" in said
    assert set(store.done_keys()) == before - only_its
    assert "0 stages would be removed, 0 bytes" in gc(store, "--dry-run").stdout


def test_a_level_that_is_put_back_counts_again_and_nothing_is_run(dropped, tmp_path):
    store, _ = dropped
    summary = run_tiny(write_sweep(tmp_path, WHOLE), store)
    assert summary.done_before == summary.wanted
    assert orphans(store) == []


def test_another_sweep_that_needs_the_level_keeps_it(dropped, tmp_path):
    store, _ = dropped
    other = write_sweep(tmp_path, WHOLE.replace("name: tiny", "name: other"))
    register(store, record_of(plan_of(other, store)), other.read_text())
    assert orphans(store) == []


def test_while_a_sweep_is_being_run_all_of_its_versions_count(dropped):
    store, only_its = dropped
    elsewhere = next(key for key in store.done_keys() if key not in only_its)
    held = lease.try_acquire(store.attempts_folder(elsewhere), lease.Watch())
    assert held is not None
    assert orphans(store) == []
    assert "tiny is being run: all its versions are kept" in gc(store, "--older-versions").stderr
    held.release()
    assert {each.key for each in orphans(store)} == only_its


def test_a_stage_that_somebody_took_since_it_was_listed_stays(dropped):
    store, _ = dropped
    first, *rest = orphans(store)
    held = lease.try_acquire(store.attempts_folder(first.key), lease.Watch())
    assert held is not None
    assert remove_orphans(store, [first, *rest]) == rest
    assert store.is_done(first.key)
    held.release()


def test_all_versions_count_where_it_is_not_known_which_ran_last(dropped):
    store, _ = dropped
    (store.root / "sweeps" / "tiny" / "latest.json").unlink()
    assert orphans(store) == []
    assert references(store).older == ()


def test_features_and_data_of_a_version_are_kept_with_it(tmp_path):
    store = tiny_store(tmp_path)
    sweep = write_sweep(tmp_path)
    first = plan_of(sweep, store)
    register(store, record_of(first), sweep.read_text())
    for key in all_feature_keys(first):
        (store.features / key).mkdir(parents=True)
    first.media_root.mkdir(parents=True, exist_ok=True)
    long_ago = time.time() - 200_000
    os.utime(first.media_root, (long_ago, long_ago))
    larger = write_sweep(
        tmp_path, SWEEP.replace("texts: 1", "texts: 2").replace("frames: 4", "frames: 8")
    )
    second = plan_of(larger, store)
    register(store, record_of(second), larger.read_text())
    assert {each.kind for each in orphans(store) if each.older} == {"features", "data"}
    said = gc(store).stdout
    assert "0 stages removed" in said
    assert "0 stages and the features of 1 encoder and 1 folder of data of older versions" in said
    assert first.media_root.is_dir()
