"""The planner's count of a connector equals the built one's."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from apollo_core.connector.connector import Connector
from apollo_core.connector.connector_sizes import connector_parameters
from apollo_core.design import (
    AttentionPoolResampler,
    ConvAvgResampler,
    Joining,
    MemoryBank,
    MlpAvgResampler,
    PerceiverResampler,
    QFormerResampler,
    Resampler,
)
from apollo_core.errors import BadInput

STUDY = PerceiverResampler(kind="perceiver", tokens_per_frame=16)
KINDS: list[Resampler] = [
    STUDY,
    PerceiverResampler(
        kind="perceiver", tokens_per_frame=3, depth=3, heads=6, kv_heads=2, head_dim=10, mlp_ratio=3
    ),
    MlpAvgResampler(kind="mlp_avg", tokens_per_frame=6),
    ConvAvgResampler(kind="conv_avg", tokens_per_frame=6),
    AttentionPoolResampler(kind="attention_pool", tokens_per_frame=5, heads=3, head_dim=7),
    QFormerResampler(kind="qformer", tokens_per_frame=5),
    QFormerResampler(
        kind="qformer", tokens_per_frame=5, depth=3, width=60, heads=5, mlp_ratio=2, text=True
    ),
]


def parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("joining", ["unified", "split"])
@pytest.mark.parametrize("resampler", KINDS, ids=lambda spec: spec.kind)
def test_the_closed_form_equals_the_built_connector(resampler: Resampler, joining: Joining):
    dims, per_frame = [40, 24, 16], [False, True, True]
    with torch.device("meta"):
        built = Connector(
            resampler,
            dims=dims,
            hidden=56,
            frames_per_clip=4,
            joining=joining,
            per_frame=per_frame,
            memory=MemoryBank(long=2, recent=2),
        )
    counted = connector_parameters(
        resampler,
        dims=dims,
        hidden=56,
        frames_per_clip=4,
        joining=joining,
        per_frame=per_frame,
    )
    assert counted == parameters(built)


@pytest.mark.parametrize(("hidden", "millions"), [(1536, 38.4), (2048, 63.6), (3584, 177.0)])
def test_the_connector_has_the_parameters_of_the_studys_table_7(hidden, millions):
    dims = [1408, 1152]  # InternVideo2 1B and SigLIP SO400M
    with torch.device("meta"):
        built = Connector(STUDY, dims=dims, hidden=hidden, frames_per_clip=4)
    counted = connector_parameters(STUDY, dims=dims, hidden=hidden, frames_per_clip=4)
    assert counted == parameters(built)
    assert counted / 1e6 == pytest.approx(millions, rel=0.005)


def test_split_without_an_image_encoder_is_refused_by_plan_and_model_alike():
    for make in (connector_parameters, Connector):
        with pytest.raises(BadInput, match=r"joining: split .* encoders names none"):
            make(
                STUDY,
                dims=[8, 8],
                hidden=8,
                frames_per_clip=4,
                joining="split",
                per_frame=[False, False],
            )
