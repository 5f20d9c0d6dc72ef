"""What LanguageBind's encoders share: how their checkpoints are read, and what those say.

Of sizes only the number of heads and the activation are taken from `config.json`; the others are
those of the tensors, which can't be wrong, and which must have as many layers as it says. The whole
model's config has the tower's inside, as `vision_config`; what that leaves out is CLIP's default,
but for the number of layers, which is ViT-L's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from apollo_core.encoders import checkpoints, positions, stored_sizes
from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.errors import BadData, pick
from apollo_core.geometry import DROPPED_BLOCKS, VisionGeometry

Activation = Callable[[Tensor], Tensor]


def quick_gelu(x: Tensor) -> Tensor:
    """`x sigmoid(1.702 x)`, the GELU of the first CLIP models."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Activation] = {"gelu": functional.gelu, "quick_gelu": quick_gelu}
EPS = 1e-5

# Layers by width, as published.
_LAYERS = {1024: 24}

# What a published file holds beside the vision tower.
LEFT_OUT = ("visual_projection", "text_model", "text_projection", "logit_scale")


def read(source: str, *, revision: str, family: str, prefixes: Sequence[str]) -> Checkpoint:
    """A checkpoint, with the vision tower's config for its own.

    Raises:
        BadData: there is no config: the activation is in no tensor, and a wrong one goes unnoticed.
    """
    checkpoint = checkpoints.read(
        source, revision=revision, family=family, entries=("state_dict", "model"), prefixes=prefixes
    )
    if not checkpoint.config:
        raise BadData(
            f"{checkpoint.origin}: config.json is not beside it; it says which activation the "
            "model was trained with"
        )
    return replace(checkpoint, config=checkpoint.config.get("vision_config", checkpoint.config))


def activation_name(checkpoint: Checkpoint) -> str:
    """Which of `ACTIVATIONS` the model was trained with."""
    name = checkpoint.config.get("hidden_act", "quick_gelu")
    pick(ACTIVATIONS, name, field=f"{checkpoint.origin}: hidden_act")
    return name


def layer_norm_eps(checkpoint: Checkpoint) -> float:
    """What the norms add to the variance."""
    return checkpoint.config.get("layer_norm_eps", EPS)


def geometry(
    checkpoint: Checkpoint, *, family: str, embeddings: str = "", encoder: str = ""
) -> VisionGeometry:
    """The size of what is used of a checkpoint.

    Args:
        checkpoint: it.
        family: whose last blocks are left out.
        embeddings, encoder: prefixes of the tensors' names.
    """
    dim, _, patch, _ = checkpoint.shape(f"{embeddings}patch_embedding.weight", 4)
    places = checkpoint.shape(f"{embeddings}position_embedding.weight", 2)[0] - 1
    side = positions.square_grid(places, 1, origin=checkpoint.origin).rows
    published = (_LAYERS[dim],) if dim in _LAYERS else ()
    layers = stored_sizes.block_count(checkpoint, f"{encoder}layers", published=published)
    return VisionGeometry(
        dim=dim,
        depth=layers - DROPPED_BLOCKS[family],
        heads=stored_sizes.head_count(checkpoint, dim, published=None),
        mlp=checkpoint.shape(f"{encoder}layers.0.mlp.fc1.weight", 2)[0],
        size=side * patch,
        patch=patch,
        family=family,
    )
