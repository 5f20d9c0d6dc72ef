"""LanguageBind's image encoder: CLIP ViT-L/14 with plain GELU, read as published.

Its layers are CLIP's: the published code has attention over time only where a config says
`add_time_attn`, and a checkpoint with such tensors, or with low-rank adapters, is refused. The
file is torch's own, and its config is of a class that transformers doesn't know, so that it is read
here; what is built is transformers' CLIP. Features are `clip.py`'s, for the reasons given there.
"""

from __future__ import annotations

import torch
from torch import nn

from apollo_core.encoders import checkpoints, clip, languagebind
from apollo_core.encoders.clip import Clip
from apollo_core.geometry import VisionGeometry


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Clip:
    """One of `depth` blocks, all used, with fresh weights; `frames_per_clip` is any."""
    return clip.fresh(geometry, activation="gelu")


def load(source: str, *, revision: str, frames_per_clip: int) -> Clip:
    """A published or local checkpoint, full or vision only, its last block left out."""
    family = "languagebind_image"
    checkpoint = languagebind.read(
        source, revision=revision, family=family, prefixes=("vision_model.",)
    )
    geometry = languagebind.geometry(
        checkpoint, family=family, embeddings="embeddings.", encoder="encoder."
    )
    with torch.device("meta"):
        encoder = clip.build(
            geometry,
            activation=languagebind.activation_name(checkpoint),
            eps=languagebind.layer_norm_eps(checkpoint),
        )
    checkpoints.fill(
        encoder.model,
        checkpoint,
        left_out=(
            *languagebind.LEFT_OUT,
            "embeddings.position_ids",
            "post_layernorm",
            f"encoder.layers.{geometry.depth}",
        ),
    )
    # Computed, hence no weights: `fill` leaves it on the meta device.
    numbers = torch.arange(1 + geometry.side**2)[None]
    encoder.model.embeddings.position_ids = nn.Buffer(numbers, persistent=False)
    return encoder
