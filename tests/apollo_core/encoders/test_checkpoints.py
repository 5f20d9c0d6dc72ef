"""Checkpoints of the own families: read as they lie on disk, taken whole or not at all."""

from __future__ import annotations

import os

import huggingface_hub
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from apollo_core.encoders import checkpoints
from apollo_core.encoders.checkpoint_files import weights_file
from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.errors import BadData, BadInput

TENSORS = {"a.weight": torch.ones(2, 3), "a.bias": torch.zeros(2)}


def read(path):
    return checkpoints.read(
        str(path), revision="main", family="vjepa", entries=("model",), prefixes=("module.", "net.")
    )


def model() -> nn.Module:
    return nn.ModuleDict({"a": nn.Linear(3, 2)})


class Harmful:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.fixture
def offline_cache(tmp_path, monkeypatch):
    """The Hugging Face cache of a machine without a network, empty."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_a_repository_that_was_fetched_before_is_read_without_a_network(offline_cache):
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = offline_cache / "models--org--video" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    torch.save(TENSORS, snapshot / "video.pt")
    found = checkpoints.read(
        "org/video", revision=commit, family="internvideo2", entries=(), prefixes=()
    )
    assert found.tensors.keys() == TENSORS.keys()


def test_a_repository_that_cannot_be_fetched_is_named_with_its_revision(offline_cache):
    with pytest.raises(BadData, match="org/video@main: cannot be fetched"):
        checkpoints.read(
            "org/video", revision="main", family="internvideo2", entries=(), prefixes=()
        )


@pytest.mark.parametrize("name", ["x.pt", "x.pth", "x.pth.tar", "pytorch_model.bin"])
def test_a_file_that_torch_saved_is_read_under_any_of_its_names(tmp_path, name):
    wrapped = {f"module.net.{key}": tensor for key, tensor in TENSORS.items()}
    torch.save({"model": wrapped, "epoch": 3}, tmp_path / name)
    found = read(tmp_path).tensors
    assert found.keys() == TENSORS.keys()
    assert torch.equal(found["a.weight"], TENSORS["a.weight"])


def test_a_file_is_read_by_its_path_where_its_folder_holds_several(tmp_path):
    torch.save(TENSORS, tmp_path / "one.pt")
    torch.save({"a.weight": torch.zeros(1)}, tmp_path / "two.pth")
    with pytest.raises(BadInput, match=r"2 files could be the weights: one\.pt, two\.pth"):
        read(tmp_path)
    assert read(tmp_path / "one.pt").tensors.keys() == TENSORS.keys()


def test_safetensors_go_before_what_torch_saved(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors")
    torch.save({}, tmp_path / "pytorch_model.bin")
    assert weights_file(tmp_path).name == "model.safetensors"


def test_files_of_the_format_before_zip_are_read_too(tmp_path):
    torch.save(TENSORS, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert read(tmp_path).tensors.keys() == TENSORS.keys()


def test_a_pickle_that_would_run_code_is_never_opened(tmp_path):
    torch.save({"model": TENSORS, "config": Harmful()}, tmp_path / "x.pt")
    with pytest.raises(BadData, match=r"holds more than tensors \(\S*system\)"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["x.pt", "x.safetensors"])
def test_a_file_cut_short_is_named(tmp_path, name):
    path = tmp_path / name
    (torch.save if name == "x.pt" else save_file)(TENSORS, path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadData, match=f"{name}: not a whole checkpoint"):
        read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"junk",
        b"",
        b"\x80\x02K",
        b"\x80\x02]hq.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x8a\x04abc",
    ],
)
def test_bytes_that_torch_never_wrote_are_named_whatever_the_unpickler_makes_of_them(
    tmp_path, content
):
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(BadData, match=r"w\.pt: not a whole checkpoint, fetch it again"):
        read(tmp_path)


def test_a_folder_without_weights_and_a_path_to_nothing_are_named(tmp_path):
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(BadData, match="nor a folder with one of"):
        read(tmp_path)
    with pytest.raises(BadData, match="neither a file"):
        read(tmp_path / "nothing")


def test_an_entry_that_is_not_there_is_told_with_those_that_are(tmp_path):
    torch.save({"student": TENSORS, "epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(BadData, match="under model; it has epoch, student"):
        read(tmp_path)


def test_two_names_that_become_one_are_refused(tmp_path):
    torch.save({"net.a": torch.ones(1), "module.a": torch.ones(1)}, tmp_path / "x.pt")
    with pytest.raises(BadData, match="two tensors are both a"):
        read(tmp_path)


def test_a_config_that_is_no_object_is_named(tmp_path):
    torch.save(TENSORS, tmp_path / "x.pt")
    (tmp_path / "config.json").write_text("[1")
    with pytest.raises(BadData, match=r"config\.json: not a JSON document"):
        read(tmp_path)


def test_weights_are_held_in_float32_whatever_the_file_holds():
    halves = {name: tensor.bfloat16() for name, tensor in TENSORS.items()}
    filled = model()
    checkpoints.fill(filled, Checkpoint("here", halves))
    assert {parameter.dtype for parameter in filled.parameters()} == {torch.float32}
    assert torch.equal(filled.state_dict()["a.weight"], TENSORS["a.weight"])


def test_a_filled_model_shares_no_memory_with_what_was_read():
    filled = model()
    checkpoints.fill(filled, Checkpoint("here", TENSORS))
    with torch.no_grad():
        for parameter in filled.parameters():
            parameter.add_(1)
    assert TENSORS["a.weight"].max() == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a.bias": None}, r"1 lacking \(a\.bias\)"),
        ({"b.bias": torch.zeros(2)}, r"1 unknown \(b\.bias\)"),
        ({"headless": torch.zeros(2)}, r"1 unknown \(headless\)"),
        ({"a.bias": torch.zeros(3)}, r"a\.bias has shape \(3,\), the model needs \(2,\)"),
        ({"a.bias": torch.tensor([0, torch.nan])}, r"here: a\.bias holds NaN or infinite values"),
        ({"a.bias": torch.tensor([1e300, 0]).double()}, r"a\.bias holds NaN or infinite values"),
    ],
)
def test_anything_that_does_not_fit_is_refused_by_name_and_changes_nothing(changes, message):
    given = {name: tensor for name, tensor in (TENSORS | changes).items() if tensor is not None}
    untouched = model()
    before = {name: tensor.clone() for name, tensor in untouched.state_dict().items()}
    with pytest.raises(BadData, match=message):
        checkpoints.fill(untouched, Checkpoint("here", given), left_out=("head",))
    after = untouched.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_what_may_be_left_out_is_a_tensor_or_a_whole_module():
    given = TENSORS | {"head": torch.zeros(1), "tail.0.weight": torch.zeros(1)}
    checkpoints.fill(model(), Checkpoint("here", given), left_out=("head", "tail"))
