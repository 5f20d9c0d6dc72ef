"""`apollo fetch` against a hub on loopback, in processes of its own."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hub_server import hub_server
from small_sweep import small

from orchestrator.fetching import hub_sources, pins
from orchestrator.spec.sweep_file import load_sweep

APOLLO = Path(sys.executable).parent / "apollo"
TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"
VISION = {"config.json": b"{}", "model.safetensors": b"w" * 100, "flax_model.msgpack": b"f" * 9}
LANGUAGE = {"config.json": b"{}", "model.safetensors": b"l" * 100, "tokenizer.json": b"{}"}


@pytest.fixture
def hub():
    repositories = {
        "lab/vision": dict(VISION),
        "lab/language": dict(LANGUAGE),
        "lab/pickles": {"config.json": b"{}", "pytorch_model.bin": b"p"},
    }
    with hub_server(repositories) as found:
        yield found


def write_sweep(folder, *, vision=None, language="lab/language"):
    content = small()
    content["models"]["siglip"] = {"source": "lab/vision", "family": "siglip", **(vision or {})}
    content["models"].pop("videomae")
    content["base"]["encoders"] = ["siglip"]
    content["scales"]["xs"]["llm"] = language
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def fetch(sweep, hub, home, *words):
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "no_proxy": "127.0.0.1",
    }
    command = [APOLLO, "fetch", sweep, "--store", home / "store", *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def test_weights_come_once_and_the_printed_lines_pin_the_sweep_to_them(hub, tmp_path):
    sweep = write_sweep(tmp_path)
    said = fetch(sweep, hub, tmp_path / "hf")
    assert said.returncode == 0, said.stderr
    printed = yaml.safe_load(said.stdout)["models"]
    assert printed["siglip"] == {
        "source": "lab/vision",
        "revision": hub.commit("lab/vision"),
        "family": "siglip",
    }
    assert printed["lab/language"]["revision"] == hub.commit("lab/language")
    assert not any("msgpack" in request for request in hub.asked)  # nothing that is not read
    content = yaml.safe_load(sweep.read_text())
    content["models"] |= printed
    sweep.write_text(yaml.safe_dump(content))
    hub.asked.clear()
    again = fetch(sweep, hub, tmp_path / "hf", "--json")
    document = json.loads(again.stdout)
    assert (again.returncode, document["pins"]) == (0, [])
    assert [entry["commit"] for entry in document["weights"]] == [
        hub.commit("lab/vision"),
        hub.commit("lab/language"),
    ]
    assert not [request for request in hub.asked if "safetensors" in request]


@pytest.mark.slow
def test_each_repository_that_cannot_be_had_is_named_with_what_to_do(hub, tmp_path):
    hub.gated.add("lab/language")
    said = fetch(write_sweep(tmp_path), hub, tmp_path / "hf")
    assert said.returncode == 1
    assert "lab/language@main: cannot be fetched: its owner must let you in" in said.stderr
    assert "fetched  lab/vision" in said.stderr  # one that fails stops no other
    absent = write_sweep(tmp_path, vision={"source": "lab/nothing"}, language="lab/pickles")
    said = fetch(absent, hub, tmp_path / "hf")
    assert "lab/nothing@main: cannot be fetched: no such repository, or a private" in said.stderr
    assert "lab/pickles@main: holds no weights that the family" in said.stderr
    assert TOKEN not in said.stderr + said.stdout
    assert said.stderr.splitlines()[2:] == [
        "2 of 2 repositories could not be fetched; the same command goes on"
    ]


@pytest.mark.slow
def test_where_no_hub_answers_nothing_is_said_to_be_here(hub, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        endpoint = f"http://127.0.0.1:{closed.getsockname()[1]}"
    said = fetch(write_sweep(tmp_path), replace(hub, endpoint=endpoint), tmp_path / "hf")
    assert (said.returncode, said.stdout) == (1, "")
    assert "2 of 2 repositories could not be fetched" in said.stderr.splitlines()[-1]


def test_a_name_that_is_pinned_already_is_not_printed(tmp_path):
    commit = "0" * 39 + "1"
    sweep = load_sweep(write_sweep(tmp_path, vision={"revision": commit}))
    assert [source.revision for source in hub_sources(sweep)] == [commit, "main"]
    assert pins(sweep, {"siglip": commit}) == []
    other = "0" * 39 + "2"
    assert pins(sweep, {"lab/language": other}) == [
        "models:",
        f'  "lab/language": {{source: lab/language, revision: {other}}}',
    ]
