"""DINOv2, with or without registers: an image encoder, through transformers' own classes."""

from __future__ import annotations

from typing import Any, cast

from jaxtyping import Float
from torch import Tensor
from transformers import (
    AutoConfig,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
)

from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, FrameEncoder, side
from apollo_core.geometry import DINOV2_SIZE, VisionGeometry
from apollo_core.pretrained import load_config, load_whole


class Dinov2(FrameEncoder):
    """Features after the final norm, without CLS and registers.

    Args:
        model: its position table may be of another size.
        size: side of the input in pixels.
    """

    def __init__(self, model: Dinov2Model | Dinov2WithRegistersModel, *, size: int) -> None:
        super().__init__()
        # Stands for hidden patches in pretraining only: trained here, it would never change.
        cast(Any, model.embeddings).mask_token = None
        self.model = model
        self._adopt(model.config, mean=IMAGENET_MEAN, std=IMAGENET_STD, size=size)
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
        "image_size": geometry.table_size,
        "patch_size": geometry.patch,
        "initializer_range": geometry.dim**-0.5,
    }
    if geometry.registers:
        config = Dinov2WithRegistersConfig(**shape, num_register_tokens=geometry.registers)
        return Dinov2(Dinov2WithRegistersModel(config), size=geometry.size)
    return Dinov2(Dinov2Model(Dinov2Config(**shape)), size=geometry.size)


def load(source: str, *, revision: str, frames_per_clip: int) -> Dinov2:
    """A published or local checkpoint, at DINOV2_SIZE pixels or its own fewer ones."""
    config = load_config(AutoConfig, source, revision=revision)
    registers = config.model_type == Dinov2WithRegistersConfig.model_type
    kind = Dinov2WithRegistersModel if registers else Dinov2Model
    model = load_whole(kind, source, revision=revision)
    return Dinov2(model, size=min(DINOV2_SIZE, side(model.config.image_size)))
