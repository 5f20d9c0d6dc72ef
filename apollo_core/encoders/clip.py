"""CLIP: an image encoder, through transformers' own class.

The features are those after the last block but one, as they are (no norm), without CLS. CLIP's loss
sees the CLS token only, through the last block and `post_layernorm`: what that block makes of the
patches fed no loss, and no norm was fitted to them, whereas the patches before it are what its
attention reads. LLaVA and Video-LLaVA read CLIP and LanguageBind there too. The connector
normalises each encoder's features.
"""

from __future__ import annotations

from typing import Any, cast

from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from apollo_core.encoders.blocks import initialise_positions
from apollo_core.encoders.encoder import CLIP_MEAN, CLIP_STD, FrameEncoder
from apollo_core.encoders.pretrained import load_whole
from apollo_core.geometry import DROPPED_BLOCKS, VisionGeometry

# The published checkpoints hold both towers and their projections into one space.
LEFT_OUT = (r"text_model\..*", r"(text|visual)_projection\.weight", "logit_scale")


class Clip(FrameEncoder):
    """Features after the last block of `model`, which is the last but one of a published model."""

    def __init__(self, model: CLIPVisionModel) -> None:
        super().__init__()
        # Norms CLS alone. Left in place, it would be trained in name and never change.
        cast(Any, model).post_layernorm = nn.Identity()
        self.model = model
        self._adopt(model.config, mean=CLIP_MEAN, std=CLIP_STD)

    def encode_images(
        self, images: Float[Tensor, "images 3 size size"]
    ) -> Float[Tensor, "images patches dim"]:
        """Every patch, without the CLS token before them."""
        return self.model(pixel_values=images).last_hidden_state[:, 1:]


def build(geometry: VisionGeometry, *, activation: str = "quick_gelu", eps: float = 1e-5) -> Clip:
    """A CLIP of `depth` blocks, all used; `activation` and `eps` (of the norms) are OpenAI's."""
    config = CLIPVisionConfig(
        hidden_size=geometry.dim,
        intermediate_size=geometry.mlp,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        image_size=geometry.size,
        patch_size=geometry.patch,
        hidden_act=activation,
        layer_norm_eps=eps,
    )
    return Clip(CLIPVisionModel(config))


def fresh(geometry: VisionGeometry, *, activation: str = "quick_gelu") -> Clip:
    """`build`, its positions started as for the microworld."""
    encoder = build(geometry, activation=activation)
    initialise_positions(encoder.model.embeddings.position_embedding.weight)
    return encoder


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Clip:
    """A CLIP of this size with fresh weights; `frames_per_clip` is any."""
    return fresh(geometry)


def load(source: str, *, revision: str, frames_per_clip: int) -> Clip:
    """A published or local checkpoint, full or vision only; its last block is then dropped.

    `hidden_act` is as its config says: OpenCLIP's is often not OpenAI's.
    """
    model = load_whole(CLIPVisionModel, source, revision=revision, left_out=LEFT_OUT)
    del model.encoder.layers[-DROPPED_BLOCKS["clip"] :]
    model.config.num_hidden_layers -= DROPPED_BLOCKS["clip"]
    return Clip(model)
