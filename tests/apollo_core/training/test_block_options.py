"""How blocks are run changes time and memory, and no result."""

from __future__ import annotations

from shutil import which

import pytest
import torch
from tiny_models import conversations, image_encoder, lmm
from torch import Tensor

from apollo_core.batch import Batch
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.stages.assembly import modules_of
from apollo_core.training.block_options import blocks_of, compile_blocks, recompute_activations
from apollo_core.training.loop import set_trainable
from apollo_core.training.packing import pack, prepare_attention

TOKENIZER = build_tokenizer()
ALL = ("vision", "connector", "llm")


def a_batch() -> Batch:
    return conversations(TOKENIZER, [(2, "red"), (0, "7"), (1, "yellow circle")])


def learned(model: VideoLMM, batch: Batch) -> dict[str, Tensor]:
    loss = model.loss(batch)
    loss.backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **grads}


def saved_floats(model: VideoLMM, batch: Batch) -> int:
    """Numbers that the forward keeps for the backward, weights and frames not counted."""
    own = {tensor.untyped_storage().data_ptr() for tensor in model.parameters()}
    kept: dict[int, int] = {}

    def pack_hook(tensor: Tensor) -> Tensor:
        place = tensor.untyped_storage().data_ptr()
        if place not in own:
            kept[place] = tensor.untyped_storage().nbytes() // 4
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack_hook, lambda tensor: tensor):
        model.loss(batch)
    return sum(kept.values())


def test_the_blocks_of_a_tower_are_its_layers():
    model = lmm()
    assert list(blocks_of(model.llm)) == list(model.llm.model.layers)
    assert [len(list(blocks_of(tower))) for tower in model.vision] == [2, 2]


@pytest.mark.parametrize("trained", [ALL, ("connector",), ("connector", "llm")], ids="+".join)
@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_activations_computed_again_give_the_same_bits(trained, packed):
    plain, lean = lmm(), lmm()
    batch = pack(a_batch()) if packed else a_batch()
    for model in (plain, lean):
        prepare_attention(model.llm, "auto", packed=packed)
        set_trainable(modules_of(model), trained)
    recompute_activations(lean, vision="vision" in trained)
    expected, found = learned(plain, batch), learned(lean, batch)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


@pytest.mark.parametrize("trained", [ALL, ("connector",)], ids="+".join)
def test_activations_computed_again_are_not_kept_even_where_the_language_model_is_frozen(trained):
    plain, lean = lmm(), lmm()
    for model in (plain, lean):
        set_trainable(modules_of(model), trained)
    recompute_activations(lean, vision="vision" in trained)
    assert saved_floats(lean, a_batch()) < 0.6 * saved_floats(plain, a_batch())


@pytest.mark.slow
@pytest.mark.skipif(which("c++") is None, reason="torch compiles for a CPU with a C++ compiler")
@pytest.mark.filterwarnings("ignore")  # the compiler's own, of many kinds
def test_compiled_blocks_give_the_same_losses_and_gradients_to_1e_4():
    plain, compiled = (lmm(encoders=[image_encoder()]) for _ in range(2))
    compiled.load_state_dict(plain.state_dict())
    compile_blocks(compiled)
    for count in (2, 3):
        batch = conversations(TOKENIZER, [(count, "red"), (0, "7")])
        expected, found = learned(plain, batch), learned(compiled, batch)
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, atol=1e-4, rtol=1e-4)
        plain.zero_grad()
        compiled.zero_grad()
