"""How resamplers begin: what they attend to, and how wide their tokens are."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from apollo_core.connector.resamplers.kinds import build_resampler
from apollo_core.connector.resamplers.perceiver import Perceiver, PerceiverLayer
from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    MlpAvgResampler,
    PerceiverResampler,
)

SPECS = [
    PerceiverResampler(kind="perceiver", tokens_per_frame=4, heads=4, kv_heads=2, head_dim=32),
    AttentionPoolResampler(kind="attention_pool", tokens_per_frame=4, heads=4, head_dim=32),
    MlpAvgResampler(kind="mlp_avg", tokens_per_frame=4),
    ConvAvgResampler(kind="conv_avg", tokens_per_frame=4),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.kind)
def test_weights_begin_with_a_variance_of_one_over_the_inputs_and_no_bias(spec):
    torch.manual_seed(0)
    for module in build_resampler(spec, dim=112, hidden=64, frames=4).modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            inputs = module.weight[0].numel()
            assert float(module.weight.detach().std()) * inputs**0.5 == pytest.approx(1, abs=0.05)
            assert module.bias is None or not module.bias.any()


def test_latents_begin_by_attending_to_different_places():
    """Of 144 places, one logit's deviation of 1 leaves some 50 that count, and not the same ones
    for two latents; a third of it leaves 130."""
    torch.manual_seed(0)
    perceiver = build_resampler(SPECS[0], dim=112, hidden=64, frames=4)
    assert isinstance(perceiver, Perceiver)
    layer = perceiver.layers[0]
    assert isinstance(layer, PerceiverLayer)
    context = layer.norm_context(perceiver.project(torch.randn(1, 144, 112)))
    queries = layer.attention.q(layer.norm_latents(perceiver.latents)).unflatten(-1, (4, 32))
    keys = layer.attention.k(context)[0].unflatten(-1, (2, 32)).repeat_interleave(2, 1)
    weights = torch.einsum("nhd,phd->hnp", queries, keys).div(32**0.5).softmax(-1).flatten(0, 1)
    assert float((1 / weights.detach().pow(2).sum(-1)).mean()) < 75
