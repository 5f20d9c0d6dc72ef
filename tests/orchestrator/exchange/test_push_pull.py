"""Stages go to a bucket and come back the same, whatever happens on the way."""

import json
import shutil
import socket
import sys

import pytest
from s3_server import SECRET, s3_server
from tiny_sweeps import plan_of, run_tiny, tiny_store, write_sweep

from orchestrator.cli import main
from orchestrator.exchange.bucket import Bucket
from orchestrator.exchange.push import push
from orchestrator.store import lease
from orchestrator.store.gc import orphans
from orchestrator.store.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # of what moto and botocore stand on

REPLICATE = "base@xs#0"


def keys_of(sweep, store):
    return sorted(plan_of(sweep, store).variant(REPLICATE).stages)


@pytest.fixture(scope="module")
def server():
    with s3_server() as found:
        yield found


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ran")
    sweep, store = write_sweep(folder), tiny_store(folder)
    run_tiny(sweep, store, only=(REPLICATE,))
    return sweep, store


@pytest.fixture
def folder(tmp_path):
    """A folder that is named by a URL: what a bucket is, without its network."""
    (tmp_path / "bucket").mkdir()
    return tmp_path / "bucket"


@pytest.fixture
def url(server, monkeypatch, request):
    """A bucket of the test's own."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = f"b{abs(hash(request.node.name)) % 10**12}"
    server.files().mkdir(bucket)
    return f"s3://{bucket}/of/the/lab"


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


def counts(out):
    return json.loads(out)["stages"]


def contents(store, key):
    folder = store.stage_folder(key)
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_was_pushed_is_pulled_to_the_byte_and_counts_as_done(ran, url, apollo, tmp_path):
    sweep, store = ran
    keys = keys_of(sweep, store)
    code, out, _ = apollo("push", sweep, url, "--store", store.root, "--json")
    assert (code, counts(out)["moved"]) == (0, len(keys))
    other = Store(tmp_path / "other")
    code, out, _ = apollo("pull", sweep, url, "--store", other.root, "--json")
    assert (code, counts(out)["moved"]) == (0, len(keys))
    assert other.done_keys() == keys
    assert all(contents(other, key) == contents(store, key) for key in keys)
    assert not any(other.verify(key) for key in keys)
    assert run_tiny(sweep, other, only=(REPLICATE,)).done_before == len(keys)


def test_the_second_time_nothing_goes_over_the_network(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    first = json.loads(apollo("push", sweep, url, "--store", store.root, "--json")[1])
    second = json.loads(apollo("push", sweep, url, "--store", store.root, "--json")[1])
    assert second["stages"]["there"] == first["stages"]["moved"]
    assert (second["stages"]["moved"], second["bytes"]) == (0, 0)
    apollo("pull", sweep, url, "--store", tmp_path / "new")
    code, out, _ = apollo("pull", sweep, url, "--store", tmp_path / "new")
    assert code == 0
    assert "0 pulled (0 bytes)" in out


def test_a_sweep_is_pulled_by_its_name_with_its_records_and_gc_keeps_it(
    ran, folder, apollo, tmp_path
):
    url = folder.as_uri()
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    code, _, _ = apollo("pull", "tiny", url, "--store", tmp_path / "new")
    assert code == 0
    done = counts(apollo("status", "tiny", "--store", tmp_path / "new", "--json")[1])["done"]
    assert done == len(keys_of(sweep, store))
    assert orphans(Store(tmp_path / "new")) == []


def test_a_name_that_was_never_pushed_is_refused_with_those_that_were(
    ran, folder, apollo, tmp_path
):
    sweep, store = ran
    apollo("push", sweep, folder.as_uri(), "--store", store.root)
    code, _, err = apollo("pull", "tinny", folder.as_uri(), "--store", tmp_path / "new")
    assert code == 2
    assert "no sweep 'tinny' was pushed there. Did you mean 'tiny'? Known: tiny." in err
    assert folder.as_uri() in err
    assert not (tmp_path / "new").exists()


def test_only_one_replicate_goes_when_only_it_is_asked_for(ran, folder, apollo):
    sweep, store = ran
    url = folder.as_uri()
    code, out, _ = apollo("push", sweep, url, "--store", store.root, "--only", REPLICATE, "--json")
    assert code == 0
    assert counts(out)["absent"] == 0
    assert counts(out)["moved"] == len(keys_of(sweep, store))
    code, _, err = apollo("push", sweep, url, "--store", store.root, "--only", "base@xs#7")
    assert code == 2
    assert "Did you mean 'base@xs#" in err


def test_an_interrupted_push_shows_no_unfinished_stage_and_goes_on(
    ran, url, server, apollo, tmp_path
):
    sweep, store = ran
    keys = keys_of(sweep, store)
    bucket = Bucket(url)
    bucket.prepare()

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(keys, store, bucket, workers=1, on_progress=stop)
    # The one under way: its files are there, its DONE is not.
    path = url.removeprefix("s3://")
    server.files().rm_file(f"{path}/stages/{keys[0]}/DONE")
    _, out, _ = apollo("pull", sweep, url, "--store", tmp_path, "--json")
    assert 0 < counts(out)["moved"] < len(keys)
    assert counts(out)["failed"] == 0
    assert keys[0] not in Store(tmp_path).done_keys()
    _, out, _ = apollo("push", sweep, url, "--store", store.root, "--json")
    assert counts(out)["moved"] + counts(out)["there"] == len(keys)
    _, out, _ = apollo("pull", sweep, url, "--store", tmp_path, "--json")
    assert Store(tmp_path).done_keys() == keys


def test_a_corrupted_object_is_refused_by_its_checksum_and_named(
    ran, url, server, apollo, tmp_path
):
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    key = keys_of(sweep, store)[0]
    told = json.loads(store.done_file(key).read_text())["files"]["result.txt"]
    path = f"{url.removeprefix('s3://')}/stages/{key}/{told['sha256']}"
    server.files().pipe_file(path, b"x" * told["bytes"])
    code, out, err = apollo("pull", sweep, url, "--store", tmp_path)
    assert code == 1
    assert "1 failed" in out
    assert told["sha256"] in err
    assert "result.txt" in err
    assert "not those that were pushed" in err
    assert key not in Store(tmp_path).done_keys()
    server.files().rm_file(path)  # what the message says
    assert apollo("push", sweep, url, "--store", store.root)[0] == 0
    assert apollo("pull", sweep, url, "--store", tmp_path)[0] == 0
    assert key in Store(tmp_path).done_keys()


def test_a_stage_that_changed_in_the_store_is_not_pushed(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    damaged = Store(tmp_path / "store")
    shutil.copytree(store.root, damaged.root)
    key = keys_of(sweep, store)[0]
    result = damaged.stage_folder(key) / "result.txt"
    result.write_bytes(b"x" * result.stat().st_size)
    code, out, err = apollo("push", sweep, url, "--store", damaged.root, "--json")
    assert code == 1
    assert counts(out)["failed"] == 1
    assert str(result) in err + out
    assert Bucket(url).done(key) is None


def test_a_stage_under_a_key_that_is_not_its_own_is_refused(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    first, second = keys_of(sweep, store)[:2]
    shutil.rmtree(folder / "stages" / first)
    shutil.copytree(folder / "stages" / second, folder / "stages" / first)
    code, _, err = apollo("pull", sweep, url, "--store", tmp_path / "new")
    assert code == 1
    assert "belongs to another stage" in err
    assert first not in Store(tmp_path / "new").done_keys()


def test_a_done_that_names_files_elsewhere_is_refused(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    key = keys_of(sweep, store)[0]
    evil = {"files": {"../../../evil": {"bytes": 1, "sha256": "0" * 64}}}
    (folder / "stages" / key / "DONE").write_text(json.dumps(evil))
    code, _, err = apollo("pull", sweep, url, "--store", tmp_path / "new")
    assert code == 1
    assert "which no stage can hold" in err


def test_a_finished_stage_is_never_overwritten_there_or_here(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    again = tiny_store(tmp_path)
    run_tiny(sweep, again, only=(REPLICATE,))  # the same keys; provenance differs, and DONE with it
    key = keys_of(sweep, store)[0]
    before = Bucket(url).done(key)
    assert again.done_file(key).read_bytes() != before
    _, out, _ = apollo("push", sweep, url, "--store", again.root, "--json")
    assert counts(out)["moved"] == 0
    assert Bucket(url).done(key) == before
    _, out, _ = apollo("pull", sweep, url, "--store", again.root, "--json")
    assert counts(out)["moved"] == 0
    assert again.done_file(key).read_bytes() != before


def test_a_stage_that_a_driver_is_at_work_on_is_left_to_it(ran, folder, apollo, tmp_path):
    url = folder.as_uri()
    sweep, store = ran
    apollo("push", sweep, url, "--store", store.root)
    other = Store(tmp_path / "new")
    key = keys_of(sweep, store)[0]
    held = lease.try_acquire(other.attempts_folder(key), lease.Watch())
    assert held
    try:
        code, out, _ = apollo("pull", sweep, url, "--store", tmp_path / "new")
    finally:
        held.release()
    assert code == 0
    assert "1 left to a driver" in out
    assert key not in other.done_keys()


def test_wrong_credentials_are_one_error_that_says_what_to_check(ran, url, server, apollo):
    sweep, store = ran
    with server.checking_credentials():
        for command in ("push", "pull"):
            code, out, err = apollo(command, sweep, url, "--store", store.root)
            assert (code, out, len(err.splitlines())) == (2, "", 1)
            assert "access denied" in err
            assert "AWS_ACCESS_KEY_ID" in err


def test_an_absent_bucket_is_one_error(ran, url, apollo):
    sweep, store = ran
    for command in ("push", "pull"):
        code, _, err = apollo(command, sweep, "s3://no-such-one/x", "--store", store.root)
        assert (code, err) == (2, "apollo: s3://no-such-one/x: there is no such bucket\n")


def test_a_server_that_cannot_be_reached_is_one_error(ran, url, apollo, monkeypatch):
    sweep, store = ran
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", nowhere)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # of its own, with pauses that grow
    for words in (("push", sweep, url), ("pull", sweep, url), ("pull", sweep, f"{nowhere}/x")):
        code, out, err = apollo(*words, "--store", store.root)
        assert (code, out, len(err.splitlines())) == (1, "", 1)
        assert err.startswith(f"apollo: {words[-1]}/apollo.json: cannot be reached: ")
        assert err.endswith("; the same command goes on\n")


def test_a_bucket_that_nothing_was_pushed_to_is_said_to_be_so(ran, url, apollo):
    sweep, store = ran
    code, _, err = apollo("pull", sweep, url, "--store", store.root)
    assert code == 2
    assert "nothing was pushed there" in err


def test_where_nothing_is_finished_nothing_is_made_and_the_store_is_named(ran, apollo, tmp_path):
    sweep, _ = ran
    words = ((tmp_path / "new").as_uri(), "--store", tmp_path / "other store")
    code, _, err = apollo("push", sweep, *words)
    assert code == 2
    assert "nothing to push: none of" in err
    assert "other store; run the sweep first, or check --store" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("bad", "told"), [("bucket/x", "no URL"), ("nope://x", "not known")])
def test_what_is_no_url_of_a_store_is_refused(ran, apollo, bad, told):
    sweep, store = ran
    code, _, err = apollo("push", sweep, bad, "--store", store.root)
    assert code == 2
    assert told in err
    assert len(err.splitlines()) == 1


def test_keys_in_the_url_are_used_and_never_told(ran, url, server, apollo, monkeypatch, tmp_path):
    sweep, store = ran
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with_keys = url.replace("s3://", f"s3://somebody:{SECRET}@")
    code, out, err = apollo("push", sweep, with_keys, "--store", store.root)
    assert code == 0
    assert "***@" in out
    assert SECRET not in out + err
    code, _, err = apollo("push", sweep, url, "--store", store.root)
    assert code == 2
    assert "access denied" in err
    code, _, err = apollo("push", sweep, with_keys.replace("@", "@no"), "--store", store.root)
    assert code == 2
    assert SECRET not in err
