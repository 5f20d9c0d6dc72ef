"""A small transformer from tokens that were seen to tokens that were hidden; thrown away later."""

from __future__ import annotations

from functools import partial

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.encoders import positions
from apollo_core.encoders.blocks import Block
from apollo_core.encoders.positions import Grid
from apollo_core.pretraining.masks import Masked, pick_tokens


class Decoder(nn.Module):
    """Seen tokens and a mark for each hidden one, both with their places, through a few blocks.

    Args:
        dim: of what is seen.
        width, heads, depth: of the blocks.
        out: values that are predicted for each hidden token.
        grid: of a clip's tokens.
    """

    places: Tensor

    def __init__(
        self, dim: int, *, width: int, heads: int, depth: int, out: int, grid: Grid
    ) -> None:
        super().__init__()
        self.narrow = nn.Linear(dim, width)
        self.mark = nn.Parameter(torch.randn(width) * width**-0.5)
        self.register_buffer("places", positions.sincos(width, grid), persistent=False)
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(width, heads, 2 * width, norm=norm, qkv_bias=True) for _ in range(depth)
        )
        self.norm = norm(width)
        self.out = nn.Linear(width, out)

    def forward(
        self, seen: Float[Tensor, "clips kept dim"], masked: Masked
    ) -> Float[Tensor, "clips hidden out"]:
        """What is predicted of the hidden tokens."""
        visible = self.narrow(seen) + pick_tokens(self.places, masked.kept)
        marks = repeat(self.mark, "d -> b p d", b=len(seen), p=masked.hidden.shape[1])
        tokens = torch.cat([visible, marks + pick_tokens(self.places, masked.hidden)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.out(self.norm(tokens[:, visible.shape[1] :]))
