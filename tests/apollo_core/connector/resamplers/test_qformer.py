"""Queries that read patches and, by option, the question."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from apollo_core.connector.resamplers.attention import Attention
from apollo_core.connector.resamplers.qformer import QFormer, QFormerLayer, Words, sinusoids
from apollo_core.design import QFormerResampler

PLAIN = QFormerResampler(kind="qformer", tokens_per_frame=3, depth=2, width=12, heads=3)
ASKED = PLAIN.model_copy(update={"text": True})


def rand(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape)))


def built(spec: QFormerResampler) -> QFormer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return QFormer(spec, 5, 8, 2)


def a_question(length: int, padding: int = 0, seed: int = 0) -> Words:
    """The same random words to each of three clips, and what stands behind their end."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randn(1, length, 8, generator=generator).expand(3, -1, -1)
    padded = torch.cat([words, 100 * torch.ones(3, padding, 8)], 1)
    present = torch.arange(length + padding) < length
    return Words(padded, present.expand(3, -1))


def slow_attention(layer: Attention, queries: Tensor, seen: Tensor) -> Tensor:
    """One clip, one head at a time."""
    width = layer.q.out_features // layer.heads
    heads: list[Tensor] = []
    for head in range(layer.heads):
        own = slice(head * width, (head + 1) * width)
        q = queries @ layer.q.weight[own].T
        k, v = seen @ layer.k.weight[own].T, seen @ layer.v.weight[own].T
        heads.append((q @ k.T / width**0.5).softmax(-1) @ v)
    return torch.cat(heads, -1) @ layer.o.weight.T


def slow_qformer(module: QFormer, grid: Tensor, words: Tensor | None) -> Tensor:
    patches = module.norm_patches(module.project(grid.reshape(-1, grid.shape[-1])))
    queries = module.queries
    for layer in module.layers:
        assert isinstance(layer, QFormerLayer)
        normed = layer.norm_self(queries)
        seen = normed
        if words is not None:
            known = module.project_words(module.norm_words(words))
            known = known + sinusoids(*known.shape)
            seen = torch.cat([normed, known])
        queries = queries + slow_attention(layer.attend_self, normed, seen)
        normed = layer.norm_cross(queries)
        queries = queries + slow_attention(layer.attend_patches, normed, patches)
        queries = queries + layer.mlp(layer.norm_mlp(queries))
    return module.widen(module.norm(queries))


@pytest.mark.parametrize("spec", [PLAIN, ASKED])
def test_the_q_former_equals_a_slow_reference(spec):
    module = built(spec)
    grid = rand(3, 2, 2, 3, 5)
    words = a_question(4, padding=3) if spec.text else None
    with torch.no_grad():
        module.queries.normal_()
        for clip, tokens in zip(grid, module(grid, words), strict=True):
            expected = slow_qformer(module, clip, words and words.embedded[0, :4])
            torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=1e-5)


def test_tokens_depend_on_the_question_and_on_the_order_of_its_words():
    module, grid = built(ASKED), rand(3, 2, 2, 3, 5)
    words = a_question(4)
    backwards = Words(words.embedded.flip(1), words.present)
    assert not torch.allclose(module(grid, words), module(grid, a_question(4, seed=1)))
    assert not torch.allclose(module(grid, words), module(grid, backwards))


def test_what_stands_behind_a_questions_end_changes_nothing():
    module, grid = built(ASKED), rand(3, 2, 2, 3, 5)
    torch.testing.assert_close(module(grid, a_question(4)), module(grid, a_question(4, padding=5)))


def test_a_clip_that_nobody_asks_about_is_still_read():
    module, grid = built(ASKED), rand(3, 2, 2, 3, 5)
    nothing = Words(torch.zeros(3, 2, 8), torch.zeros(3, 2, dtype=torch.bool))
    tokens = module(grid, nothing)
    assert torch.isfinite(tokens).all()
    torch.testing.assert_close(tokens, module(grid, a_question(0)))


def test_words_are_given_exactly_where_they_are_read():
    grid = rand(3, 2, 2, 3, 5)
    with pytest.raises(AssertionError):
        built(ASKED)(grid)
    with pytest.raises(AssertionError):
        built(PLAIN)(grid, a_question(2))


def test_sinusoids_are_those_of_the_formula():
    table = sinusoids(5, 6)
    assert table[3, 1].item() == pytest.approx(torch.tensor(3 / 10000 ** (2 / 6)).sin().item())
    assert table[3, 4].item() == pytest.approx(torch.tensor(3 / 10000 ** (2 / 6)).cos().item())
    assert sinusoids(2, 5).shape == (2, 5)
