"""Heads that make one vector of a clip's tokens; published checkpoints lose them here as well."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.encoders.blocks import Mlp


class AttentionPool(nn.Module):
    """One query attends to all tokens; then an MLP, each added to what it read.

    The multi-head attention pooling of SigLIP with a learned query (`query=None` in `forward`), and
    with the class token for the query the last block of a CLIP, computed only where CLIP reads it.

    Args:
        dim, heads, mlp: width, heads, hidden width of the MLP.
    """

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        norm: Callable[[int], nn.Module] = partial(nn.LayerNorm, eps=1e-6)
        self.heads = heads
        self.learned = nn.Parameter(torch.randn(dim) * dim**-0.5)
        self.norm_tokens = norm(dim)
        self.query = nn.Linear(dim, dim)
        self.key_value = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm_mlp = norm(dim)
        self.mlp = Mlp(dim, mlp)
        self.norm = norm(dim)

    def forward(
        self,
        tokens: Float[Tensor, "clips tokens dim"],
        query: Float[Tensor, "clips dim"] | None = None,
    ) -> Float[Tensor, "clips dim"]:
        """One vector for each clip, normed."""
        asked = repeat(self.learned, "d -> b d", b=len(tokens)) if query is None else query
        key, value = self.key_value(self.norm_tokens(tokens)).chunk(2, dim=-1)
        heads = (
            rearrange(x, "b n (h d) -> b h n d", h=self.heads)
            for x in (self.query(self.norm_tokens(asked))[:, None], key, value)
        )
        found = functional.scaled_dot_product_attention(*heads)
        pooled = asked + self.out(rearrange(found, "b h 1 d -> b (h d)"))
        return self.norm(pooled + self.mlp(self.norm_mlp(pooled)))
