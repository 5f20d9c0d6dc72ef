"""SigLIP and SigLIP 2 of fixed size: an image encoder, through transformers' own class."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from transformers import SiglipVisionConfig, SiglipVisionModel

from apollo_core.encoders.blocks import initialise_positions
from apollo_core.encoders.encoder import HALF, FrameEncoder
from apollo_core.encoders.pretrained import load_whole
from apollo_core.geometry import VisionGeometry

# The published checkpoints hold both towers, and a head that pools the patches into one vector.
LEFT_OUT = (r"text_model\..*", r"head\..*", "logit_scale", "logit_bias")


class Siglip(FrameEncoder):
    """Features after the final norm, without the pooling head."""

    def __init__(self, model: SiglipVisionModel) -> None:
        super().__init__()
        self.model = model
        self._adopt(model.config, mean=HALF, std=HALF)

    def encode_images(
        self, images: Float[Tensor, "images 3 size size"]
    ) -> Float[Tensor, "images patches dim"]:
        """Every patch; there is no CLS token."""
        return self.model(pixel_values=images).last_hidden_state


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Siglip:
    """A SigLIP of this size with fresh weights; `frames_per_clip` is any."""
    config = SiglipVisionConfig(
        hidden_size=geometry.dim,
        intermediate_size=geometry.mlp,
        num_hidden_layers=geometry.depth,
        num_attention_heads=geometry.heads,
        image_size=geometry.size,
        patch_size=geometry.patch,
        vision_use_head=False,
    )
    model = SiglipVisionModel(config)
    initialise_positions(model.embeddings.position_embedding.weight)
    return Siglip(model)


def load(source: str, *, revision: str, frames_per_clip: int) -> Siglip:
    """A published or local SigLIP checkpoint (either tower layout, full or vision only)."""
    model = load_whole(
        SiglipVisionModel, source, revision=revision, left_out=LEFT_OUT, vision_use_head=False
    )
    return Siglip(model)
