import json

import pytest
from tiny_stages import digest_stage, key_of, tiny_task

from apollo_core.errors import BadInput
from orchestrator.engine.worker import run_task
from orchestrator.files import write_atomically
from orchestrator.store.store import Store, open_store


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.prepare()
    return store


def finished(store, name, **options):
    outcome = run_task(tiny_task(store.root, name, **options), run_stage=digest_stage)
    assert outcome.status == "done", outcome
    return key_of(name)


def test_a_finished_stage_holds_its_result_identity_provenance_and_metrics(store):
    key = finished(store, "a")
    assert (store.result(key) / "digest.txt").read_text()
    identity = store.identity(key) or {}
    assert identity["kind"] == "pretrain"
    assert '"fingerprint": "a"' in json.dumps(identity["identity"])
    provenance = store.provenance(key) or {}
    assert {"code", "host", "packages", "seconds", "started", "attempt"} <= set(provenance)
    assert [event["step"] for event in store.metrics(key)] == [1, 2, 3, 4]
    assert store.verify(key) == []


def test_a_stage_without_done_does_not_exist_and_is_replaced(store):
    leftover = store.stage_folder(key_of("a"))
    leftover.mkdir()
    (leftover / "half.txt").write_text("half")
    assert not store.is_done(key_of("a"))
    with pytest.raises(BadInput, match="not done"):
        store.result(key_of("a"))
    finished(store, "a")
    assert not (leftover / "half.txt").exists()


def test_a_truncated_file_makes_a_stage_not_done_and_changed_bytes_are_found_by_verify(store):
    key = finished(store, "a")
    path = store.result(key) / "digest.txt"
    said = path.read_text()
    path.write_text("x" * len(said))
    assert store.is_done(key)
    assert "changed" in store.verify(key)[0]
    path.write_text("x")
    assert not store.is_done(key)


def test_a_stage_that_writes_a_name_of_the_store_fails(store):
    def rude(identity, context):
        (context.out / "DONE").write_text("{}")

    outcome = run_task(tiny_task(store.root, "a"), run_stage=rude)
    assert outcome.status == "failed"
    assert "must not write DONE" in outcome.message
    assert not store.is_done(key_of("a"))


def test_the_chain_follows_previous_parents_from_the_oldest(store):
    finished(store, "align")
    finished(store, "vision", previous="align")
    finished(store, "sft", previous="vision")
    chain = store.chain(key_of("sft"))
    assert [folder.name for folder in chain] == [key_of(n) for n in ("align", "vision", "sft")]
    assert store.chain(None) == ()


def test_no_work_folder_is_left_behind(store):
    key = finished(store, "a")
    left = {path.name for path in store.attempts_folder(key).iterdir()}
    assert left <= {"lease.json", "lock"}


def test_a_store_that_is_a_file_is_bad_input(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--store"):
        open_store(tmp_path / "file")
    with pytest.raises(BadInput, match="cannot be written"):
        Store(tmp_path / "file" / "store").prepare()


def test_opening_a_store_writes_nothing(tmp_path):
    open_store(tmp_path / "absent").done_keys()
    assert not (tmp_path / "absent").exists()


def test_the_store_comes_from_the_option_then_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("APOLLO_STORE", str(tmp_path / "from env"))
    assert open_store(None).root == tmp_path / "from env"
    assert open_store(tmp_path / "given").root == tmp_path / "given"
    monkeypatch.delenv("APOLLO_STORE")
    assert open_store(None).root.parts[-2:] == ("out", "store")


def test_a_failed_atomic_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "value.json"
    write_atomically(path, "1")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert json.loads(path.read_text()) == 1
    assert [found.name for found in tmp_path.iterdir()] == ["value.json"]
