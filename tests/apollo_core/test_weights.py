"""Weights are loaded exactly or not at all."""

from __future__ import annotations

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny_models import lmm, qwen2
from torch import nn

from apollo_core.errors import BadData
from apollo_core.weights import load_modules, save_modules


def linears(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"connector": nn.Linear(3, 2), "vision": nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))}


def test_modules_come_back_to_the_bit(tmp_path):
    path = tmp_path / "weights.safetensors"
    model, other = lmm(seed=1), lmm(seed=2)
    names = ("vision", "connector", "llm")
    save_modules({name: getattr(model, name) for name in names}, path)
    load_modules({name: getattr(other, name) for name in names}, path)
    mine, theirs = model.state_dict(), other.state_dict()
    assert all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path):
    path = tmp_path / "weights.safetensors"
    model, other = qwen2(), qwen2()
    save_modules({"llm": model}, path)
    with safe_open(path, "pt") as file:
        names = set(file.keys())
    assert "llm.model.embed_tokens.weight" in names
    assert "llm.lm_head.weight" not in names
    load_modules({"llm": other}, path)
    assert other.lm_head.weight is other.model.embed_tokens.weight
    assert torch.equal(other.lm_head.weight, model.lm_head.weight)


def test_weights_that_are_not_tied_are_both_stored(tmp_path):
    path = tmp_path / "weights.safetensors"
    save_modules({"llm": qwen2(tied=False)}, path)
    assert {"llm.model.embed_tokens.weight", "llm.lm_head.weight"} <= load_file(path).keys()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", r"1 missing \['vision\.1\.bias'\], 0 left over"),
        ("extra", r"0 missing \[\], 1 left over \['vision\.2\.bias'\]"),
        ("misshapen", r"vision\.1\.bias has shape \(5,\), the model needs \(2,\)"),
        ("cut off", "weights.safetensors: not a whole safetensors file"),
        ("gone", "weights.safetensors: there is no such file"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name_and_changes_nothing(tmp_path, damage, message):
    path = tmp_path / "weights.safetensors"
    save_modules(linears(1), path)
    tensors = load_file(path)
    if damage == "missing":
        del tensors["vision.1.bias"]
    elif damage == "extra":
        tensors["vision.2.bias"] = torch.zeros(2)
    elif damage == "misshapen":
        tensors["vision.1.bias"] = torch.zeros(5)
    save_file(tensors, path)
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-4])
    elif damage == "gone":
        path.unlink()
    modules = linears(2)
    before = {n: [p.clone() for p in m.parameters()] for n, m in modules.items()}
    with pytest.raises(BadData, match=message):
        load_modules(modules, path)
    for name, module in modules.items():
        for old, new in zip(before[name], module.parameters(), strict=True):
            assert torch.equal(old, new)
