"""Attention of a few latents over what they read: shared by the resamplers that attend."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Attention with grouped query heads: `heads / kv_heads` of them share keys and values.

    Args:
        width: of the latents and of what they read.
        heads, kv_heads, head_dim: query heads, key-value heads, width of each.
    """

    def __init__(self, width: int, *, heads: int, kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        self.q = nn.Linear(width, heads * head_dim, bias=False)
        self.k = nn.Linear(width, kv_heads * head_dim, bias=False)
        self.v = nn.Linear(width, kv_heads * head_dim, bias=False)
        self.o = nn.Linear(heads * head_dim, width, bias=False)

    def forward(
        self,
        latents: Float[Tensor, "clips latents width"],
        read: Float[Tensor, "clips places width"],
        readable: Bool[Tensor, "clips places"] | None = None,
    ) -> Float[Tensor, "clips latents width"]:
        """Latents attend to the places of `read`, where given only to those that are `readable`."""
        q = rearrange(self.q(latents), "b n (h d) -> b h n d", h=self.heads)
        k = rearrange(self.k(read), "b n (h d) -> b h n d", h=self.kv_heads)
        v = rearrange(self.v(read), "b n (h d) -> b h n d", h=self.kv_heads)
        k, v = (repeat(x, "b h n d -> b (h g) n d", g=self.heads // self.kv_heads) for x in (k, v))
        mask = None if readable is None else rearrange(readable, "b n -> b 1 1 n")
        found = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(rearrange(found, "b h n d -> b n (h d)"))


def fresh_latents(count: int, width: int) -> nn.Parameter:
    """Learned latents at their start: normal, as wide as the norms that follow leave everything.

    What a latent has read is added to it: narrower ones would hand on tokens that are not told
    apart before their attention has learned to.
    """
    return nn.Parameter(torch.randn(count, width))
