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
    resampler = pick(RESAMPLERS, spec.kind, field="resampler.kind")(spec, dim, hidden, frames)
    return resampler.apply(_begin)


def _begin(module: nn.Module) -> None:
    """Draw weights with a variance of 1 / inputs (LeCun et al., 1998, Efficient BackProp), no bias.

    PyTorch's own is a third of it. An attention's logits, products of two such projections, would
    then begin near nothing, each latent with the mean of all patches, and stay there for long.
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def is_conditioned(spec: Resampler) -> bool:
    """Whether a clip's tokens depend on the question about it."""
    return spec.kind == "qformer" and spec.text
