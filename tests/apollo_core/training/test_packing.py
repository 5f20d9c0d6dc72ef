"""Conversations in one row are as good as conversations side by side."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_languages import gpt2, mamba, mistral
from tiny_models import SIZES, conversations, llama, lmm, qwen2
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from apollo_core.answer_logits import token_logits
from apollo_core.batch import Batch
from apollo_core.errors import StageFailed
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.training.packing import SAMPLE_WISE, Attention, Prepared, pack, prepare_attention

TOKENIZER = build_tokenizer()
ASKED = [(2, "red"), (0, "7"), (1, "yellow circle"), (0, "blue"), (3, "red")]
close = partial(torch.testing.assert_close, atol=1e-4, rtol=1e-4)


def gemma2() -> Gemma2ForCausalLM:
    """Windows of 8 positions in every other layer, and scores capped by a tanh: not for sdpa."""
    return Gemma2ForCausalLM(Gemma2Config(**SIZES, head_dim=8, sliding_window=8)).eval()


def windowed_qwen2() -> Qwen2ForCausalLM:
    """A window of 8 positions in the second of its two layers."""
    windows = {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}
    return Qwen2ForCausalLM(Qwen2Config(**SIZES, **windows)).eval()


def bloom() -> BloomForCausalLM:
    """Positions as a slope over the whole row, borders or not."""
    return BloomForCausalLM(
        BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=SIZES["vocab_size"])
    ).eval()


MODELS: list[Callable[[], PreTrainedModel]] = [qwen2, llama, gemma2, windowed_qwen2, mistral]


def a_batch() -> Batch:
    return conversations(TOKENIZER, ASKED)


def learned(model: VideoLMM, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Loss, and the gradient of every parameter that got one."""
    model.zero_grad()
    loss = model.loss(batch)
    loss.backward()
    grads = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    return loss.detach(), grads


def test_a_packed_batch_is_one_row_without_padding_whose_positions_restart():
    batch = a_batch()
    packed = pack(batch)
    lengths = batch.attended.sum(1).tolist()
    assert packed.tokens.shape == (1, sum(lengths))
    assert packed.attended.all()
    assert packed.supervised == batch.supervised
    assert packed.positions is not None
    assert packed.positions[0].tolist() == [at for length in lengths for at in range(length)]
    assert packed.tokens[0].tolist() == [
        token
        for row, length in zip(batch.tokens, lengths, strict=True)
        for token in row[:length].tolist()
    ]
    assert packed.clips is batch.clips


@pytest.mark.parametrize("attention", ["auto", "sdpa", "eager"])
@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_packed_and_padded_agree_in_loss_logits_and_gradients(
    build: Callable[[], PreTrainedModel], attention: Attention
):
    if attention == "sdpa" and build is gemma2:
        pytest.skip("this class has no sdpa: its scores are capped")
    model = lmm(build())
    batch = a_batch()
    loss, grads = learned(model, batch)
    with torch.no_grad():
        logits = token_logits(model.llm, model.embed(batch), batch)[0]
    prepare_attention(model.llm, attention, packed=True)
    packed = pack(batch)
    packed_loss, packed_grads = learned(model, packed)
    with torch.no_grad():
        packed_logits = token_logits(model.llm, model.embed(packed), packed)[0]
    close(packed_loss, loss)
    close(packed_logits, logits)
    assert packed_grads.keys() == grads.keys()
    for name, grad in grads.items():
        close(packed_grads[name], grad)


def test_classes_with_plain_attention_are_attended_sample_by_sample_and_others_by_mask():
    chosen = {}
    for build in MODELS:
        llm = build()
        prepare_attention(llm, "auto", packed=True)
        chosen[build.__name__] = llm.config._attn_implementation
    assert chosen == {
        "qwen2": SAMPLE_WISE,
        "llama": SAMPLE_WISE,
        "gemma2": "eager",
        "windowed_qwen2": "sdpa",
        "mistral": "sdpa",
    }


@pytest.mark.parametrize("build", MODELS, ids=lambda build: build.__name__)
def test_nothing_leaks_from_one_packed_conversation_into_another(build):
    model = lmm(build())
    prepare_attention(model.llm, "auto", packed=True)
    packed = pack(a_batch())
    assert packed.positions is not None
    first_rows = packed.positions[0].diff().le(0).nonzero()[:, 0] + 1
    third = slice(int(first_rows[1]), int(first_rows[2]))
    inside = torch.zeros(packed.tokens.shape[1], dtype=torch.bool)
    inside[third] = True
    embedded = model.embed(packed).detach()
    noise = torch.randn(embedded.shape, generator=torch.Generator().manual_seed(0))
    changed = torch.where(inside[:, None], embedded + noise, embedded)
    with torch.no_grad():
        before, _, here = token_logits(model.llm, embedded, packed)
        after, _, _ = token_logits(model.llm, changed, packed)
    own = inside[:-1][here[0]]
    assert torch.equal(before[~own], after[~own])
    assert not torch.allclose(before[own], after[own], atol=1e-2)


# By torch, of itself: about how transformers builds the mask, and that nothing is compiled here.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:flex_attention called without")
@pytest.mark.parametrize("build", [qwen2, llama], ids=lambda build: build.__name__)
def test_flex_attention_sees_the_same_borders(build):
    """Forward only and not compiled: on a CPU torch has no backward of it, and its C++ fails."""
    model = lmm(build())
    batch = a_batch()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        expected = token_logits(model.llm, model.embed(batch), batch)[0]
        prepare_attention(model.llm, "flex_attention", packed=True)
        packed = pack(batch)
        found = token_logits(model.llm, model.embed(packed), packed)[0]
    close(found, expected)


def test_a_model_that_looks_across_is_refused(monkeypatch):
    llm = llama()
    whole = llm.model.forward

    def forgetful(**given):
        return whole(**{**given, "position_ids": None})

    monkeypatch.setattr(llm.model, "forward", forgetful)
    with pytest.raises(StageFailed, match="LlamaForCausalLM looks from one packed conversation"):
        prepare_attention(llm, "sdpa", packed=True)


@pytest.mark.parametrize("build", [bloom, mamba], ids=lambda build: build.__name__)
def test_a_class_that_cannot_be_packed_goes_on_padded_and_says_why_unless_packing_is_required(
    build,
):
    model = lmm(build())
    batch = a_batch()
    expected = model.loss(batch)
    own = model.llm.config._attn_implementation
    prepared = prepare_attention(model.llm, "auto", packed=True, required=False)
    assert not prepared.packed
    assert re.fullmatch(r"\w+ForCausalLM looks from one packed.*", prepared.why_padded)
    assert model.llm.config._attn_implementation == own
    assert torch.equal(model.loss(batch), expected)
    with pytest.raises(StageFailed, match=r"looks from one packed conversation .*packing: 'off'"):
        prepare_attention(model.llm, "auto", packed=True)


def test_one_that_can_be_packed_has_no_reason_not_to_be():
    for build in (*MODELS, gpt2):
        assert prepare_attention(build(), "auto", packed=True, required=False) == Prepared(True)
        assert prepare_attention(build(), "auto", packed=False) == Prepared(False)


def test_a_model_that_goes_on_counting_positions_is_refused(monkeypatch):
    llm = gpt2()
    table = llm.get_submodule("transformer.wpe")
    whole = table.forward
    monkeypatch.setattr(table, "forward", lambda at: whole(torch.arange(at.shape[1])[None]))
    with pytest.raises(StageFailed, match="something else for a packed conversation than for it"):
        prepare_attention(llm, "auto", packed=True)


def test_borders_are_read_off_the_device_once_a_batch_and_not_in_every_layer():
    class Searches(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.count += "nonzero" in func.__name__
            return func(*args, **(kwargs or {}))

    llm = llama()
    prepare_attention(llm, "auto", packed=True)
    embedded = torch.zeros(1, 5, 32)
    for positions in ([0, 1, 2, 0, 1], [0, 0, 1, 2, 3]):
        with Searches() as searches, torch.no_grad():
            llm(inputs_embeds=embedded, position_ids=torch.tensor([positions]), use_cache=False)
        assert (searches.count, llm.config.num_hidden_layers) == (1, 2)


def test_a_first_token_is_predicted_by_nobody():
    batch = a_batch()
    labels = batch.labels.clone()
    labels[:, 0] = batch.tokens[:, 0]
    packed = pack(replace(batch, labels=labels))
    assert packed.supervised == batch.supervised
