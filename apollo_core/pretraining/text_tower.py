"""A small text tower for captions: trained beside an encoder, then thrown away."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from apollo_core.pretraining.watched import CAPTION_WORDS, PAD

# The longest caption is some fifty words: a moving and a resting shape, the camera, four digits.
MOST_WORDS = 256


class TextTower(nn.Module):
    """A transformer over words, its mean over them projected into the space of pictures.

    Args:
        dim, heads, depth: width, attention heads and blocks.
    """

    def __init__(self, dim: int, *, heads: int, depth: int = 1) -> None:
        super().__init__()
        self.words = nn.Embedding(1 + len(CAPTION_WORDS), dim, padding_idx=PAD)
        self.positions = nn.Embedding(MOST_WORDS, dim)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(
                dim, heads, 2 * dim, dropout=0.0, norm_first=True, batch_first=True
            )
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.project = nn.Linear(dim, dim, bias=False)

    def forward(self, captions: Int[Tensor, "media words"]) -> Float[Tensor, "media dim"]:
        """A vector for each caption; what pads it has no part in it."""
        padding = captions == PAD
        places = torch.arange(captions.shape[1], device=captions.device)
        tokens = self.words(captions) + self.positions(places)
        for block in self.blocks:
            tokens = block(tokens, src_key_padding_mask=padding)
        spoken = (~padding).to(tokens.dtype)[..., None]
        return self.project((self.norm(tokens) * spoken).sum(1) / spoken.sum(1))
