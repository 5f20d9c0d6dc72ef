"""`apollo doctor` names what would break a run and what mends it."""

import json
import shutil
import socket
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from small_sweep import write

from apollo_core.errors import BadInput
from orchestrator.checkup import installation, machine, ray_address
from orchestrator.checkup.filesystem import store_filesystem
from orchestrator.checkup.ray_address import require_ray
from orchestrator.checkup.services import tracking
from orchestrator.cli import main
from orchestrator.store.store import Store


@pytest.fixture
def apollo(monkeypatch, capsys):
    def call(*words):
        monkeypatch.setattr(sys, "argv", ["apollo", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code or 0, said.out, said.err

    return call


def test_a_machine_that_can_run_a_sweep_is_told_so_and_nothing_is_written(apollo, tmp_path):
    sweep = write(tmp_path)
    words = ("--no-ray", "--json", "--store", tmp_path / "store")
    code, out, _ = apollo("doctor", sweep, *words)
    document = json.loads(out)
    assert (code, document["ready"]) == (0, True)
    assert {"state", "text", "mend"} == set(document["findings"][0])
    assert [path.name for path in tmp_path.iterdir()] == [sweep.name]


def test_what_a_sweep_lacks_is_named_with_what_mends_it(apollo, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    changes = {
        "models/siglip": {"source": "lab/vision", "family": "siglip"},
        "data/microworld": None,
        "data/root": str(tmp_path / "data"),
        "data/decoder": "torchcodec",
        "scales/xs/resources": {"gpus": 64},
    }
    sweep = write(tmp_path, changes)
    code, out, _ = apollo("doctor", sweep, "--no-ray", "--store", tmp_path / "store")
    assert code == 1
    assert "weights not here: siglip: lab/vision@main" in out
    assert "-> apollo fetch" in out
    assert "captions.jsonl" in out
    assert ("torchcodec is missing" in out) == (find_spec("torchcodec") is None)
    assert "a stage needs up to 64 GPUs" in out


def test_a_disk_that_cannot_hold_a_sweep_is_found_before_it_runs(apollo, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    sweep = write(tmp_path)
    code, out, _ = apollo("doctor", sweep, "--no-ray", "--store", tmp_path / "store")
    assert code == 1
    assert "-> make room" in out


def test_a_version_that_this_release_is_not_made_for_is_told_with_the_range(monkeypatch):
    wanted = {"torch": SpecifierSet(">=99"), "av": SpecifierSet(">=1")}
    monkeypatch.setattr(installation, "_wanted", lambda: wanted)
    found = {finding.text.split()[0]: finding for finding in installation.packages()}
    assert found["torch"].state == "broken"
    assert found["torch"].mend == "pip install 'torch>=99'"
    assert found["av"].state == "ok"


def test_a_torch_without_gpus_on_a_machine_that_has_some_is_found(monkeypatch):
    monkeypatch.setattr(machine, "gpu_lines", lambda: ["NVIDIA H100, 81559 MiB, 4 MiB"])
    monkeypatch.setattr(machine, "_torch_version", lambda: "2.13.0+cpu")
    states = {finding.state for finding in machine._gpus()}
    assert states == {"ok", "broken"}


def test_a_container_with_little_shared_memory_is_told_how_to_be_given_more(monkeypatch):
    usage = shutil.disk_usage("/")._replace(total=64 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    found = machine._shared_memory()
    assert (found.state, "--shm-size" in found.mend) == ("warning", True)


def test_a_store_that_cannot_be_written_is_found(tmp_path):
    states = [finding.state for finding in store_filesystem(Path("/proc/apollo/store"))]
    assert "broken" in states
    assert {finding.state for finding in store_filesystem(tmp_path)} <= {"ok", "warning"}
    assert list(tmp_path.iterdir()) == []


def test_a_mount_without_locks_or_with_an_object_store_behind_it_is_found(tmp_path, monkeypatch):
    from orchestrator.checkup import filesystem

    for mount in (("nfs4", ["rw", "nolock"]), ("fuse.s3fs", ["rw"])):
        monkeypatch.setattr(filesystem, "_mount", lambda folder, mount=mount: mount)
        assert "broken" in [finding.state for finding in store_filesystem(tmp_path)]


def test_a_tracking_server_that_is_away_is_a_warning_without_its_password(tmp_path):
    found = tracking("http://me:pa55word@127.0.0.1:9/", Store(tmp_path))
    assert found.state == "warning"
    assert "pa55word" not in found.text + found.mend
    assert "apollo sync" in found.mend
    (tmp_path / "mlflow.db").write_text("no database")
    assert tracking(None, Store(tmp_path)).state == "warning"


def answering(listener, said):
    """Take one connection and say this; `b""` says nothing and keeps it."""
    line, _ = listener.accept()
    with line:
        line.recv(64)
        if said:
            line.sendall(said)
        else:
            line.recv(1)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what listens there is not Ray"),
        (b"", "it does not answer"),
    ],
)
def test_what_listens_at_an_address_and_is_not_ray_is_told_at_once(said, told, monkeypatch):
    monkeypatch.setattr(ray_address, "_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answering, args=(listener, said))
        thread.start()
        with pytest.raises(BadInput, match=told):
            require_ray(f"127.0.0.1:{listener.getsockname()[1]}", patience=0.0)
        thread.join()


def test_a_cluster_that_is_away_is_told_within_seconds(apollo, tmp_path):
    began = time.monotonic()
    address = ("--address", "ray://127.0.0.1:1")
    code, out, _ = apollo("doctor", *address, "--store", tmp_path / "store")
    assert time.monotonic() - began < 10
    assert code == 1
    assert "127.0.0.1:1: cannot be reached (Connection refused)" in out
    assert "-> check the address" in out


@pytest.mark.parametrize("address", ["auto", "local", "head.example"])
def test_addresses_that_ray_looks_up_are_left_to_ray(address):
    require_ray(address, patience=0.0)
