"""DINOv2, with or without registers: an image encoder, through transformers' own classes."""

from __future__ import annotations

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
)

from apollo_core.encoders.blocks import initialise_positions
from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, FrameEncoder, side
from apollo_core.encoders.pretrained import load_config, load_whole
from apollo_core.geometry import DINOV2_SIZE, VisionGeometry

Model = Dinov2Model | Dinov2WithRegistersModel


class Dinov2(FrameEncoder):
    """Features after the final norm, without CLS and registers."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        # Stands for hidden patches in pretraining only: trained here, it would never change.
        cast(Any, model.embeddings).mask_token = None
        self.model = model
        self._adopt(model.config, mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._before_patches = 1 + getattr(model.config, "num_register_tokens", 0)

    def encode_images(
        self, images: Float[Tensor, "images 3 size size"]
    ) -> Float[Tensor, "images patches dim"]:
        """Every patch."""
        return self.model(pixel_values=images).last_hidden_state[:, self._before_patches :]


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Dinov2:
    """A DINOv2 of this size with fresh weights; `frames_per_clip` is any."""
    shape: dict[str, Any] = {
        "hidden_size": geometry.dim,
        "mlp_ratio": geometry.mlp_ratio,
        "num_hidden_layers": geometry.depth,
        "num_attention_heads": geometry.heads,
        "image_size": geometry.size,
        "patch_size": geometry.patch,
        "initializer_range": geometry.dim**-0.5,
    }
    if geometry.registers:
        config = Dinov2WithRegistersConfig(**shape, num_register_tokens=geometry.registers)
        model: Model = Dinov2WithRegistersModel(config)
    else:
        model = Dinov2Model(Dinov2Config(**shape))
    initialise_positions(model.embeddings.position_embeddings)
    return Dinov2(model)


def load(source: str, *, revision: str, frames_per_clip: int) -> Dinov2:
    """A published or local checkpoint, at DINOV2_SIZE pixels or its own fewer ones."""
    config = load_config(AutoConfig, source, revision=revision)
    registers = config.model_type == Dinov2WithRegistersConfig.model_type
    kind = Dinov2WithRegistersModel if registers else Dinov2Model
    model = load_whole(kind, source, revision=revision)
    _resize_table(model, min(DINOV2_SIZE, side(model.config.image_size)))
    return Dinov2(model)


def _resize_table(model: Model, size: int) -> None:
    """Interpolate the position table to an input of `size` pixels, as the class would.

    The class does so in each forward, by bicubic interpolation, whose gradient isn't the same to
    the bit twice on a GPU.
    """
    patches = (size // side(model.config.patch_size)) ** 2
    like = torch.empty(1, 1 + patches, model.config.hidden_size)
    with torch.no_grad():
        table = model.embeddings.interpolate_pos_encoding(like, size, size)
    model.embeddings.position_embeddings = nn.Parameter(table.clone())
    model.config.image_size = size
