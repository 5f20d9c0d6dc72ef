"""The resamplers by name, and the one way to build them."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from apollo_core.connector.resamplers.attention_pool import AttentionPool
from apollo_core.connector.resamplers.averaging import ConvAvg, MlpAvg
from apollo_core.connector.resamplers.perceiver import Perceiver
from apollo_core.connector.resamplers.qformer import QFormer
from apollo_core.design import Resampler
from apollo_core.errors import pick

RESAMPLERS: dict[str, Callable[..., nn.Module]] = {
    "perceiver": Perceiver,
    "mlp_avg": MlpAvg,
    "conv_avg": ConvAvg,
    "attention_pool": AttentionPool,
    "qformer": QFormer,
}


def build_resampler(spec: Resampler, *, dim: int, hidden: int, frames: int) -> nn.Module:
    """Build the resampler that `spec` names.

    Args:
        spec: kind and sizes.
        dim: channels of the joined grid.
        hidden: width of the language model.
        frames: frames per clip.

    Raises:
        BadInput: a kind that is known but not built yet.
    """
    return pick(RESAMPLERS, spec.kind, field="resampler.kind")(spec, dim, hidden, frames)


def is_conditioned(spec: Resampler) -> bool:
    """Whether a clip's tokens depend on the question about it."""
    return spec.kind == "qformer" and spec.text
