"""Perceiver: learned latents that read a clip's patches and one another."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.connector.resamplers.attention import Attention, fresh_latents
from apollo_core.design import PerceiverResampler


class GatedMlp(nn.Module):
    """SwiGLU: down(silu(gate(x)) * up(x))."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden, inner, bias=False)
        self.up = nn.Linear(hidden, inner, bias=False)
        self.down = nn.Linear(inner, hidden, bias=False)

    def forward(self, x: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch hidden"]:
        """Position by position."""
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class PerceiverLayer(nn.Module):
    """Attention over (context, latents) and MLP, each behind a norm and beside a residual."""

    def __init__(self, hidden: int, spec: PerceiverResampler) -> None:
        super().__init__()
        self.norm_latents = nn.LayerNorm(hidden)
        self.norm_context = nn.LayerNorm(hidden)
        self.attention = Attention(
            hidden, heads=spec.heads, kv_heads=spec.kv_heads, head_dim=spec.head_dim
        )
        self.norm_mlp = nn.LayerNorm(hidden)
        self.mlp = GatedMlp(hidden, spec.mlp_ratio * hidden)

    def forward(
        self,
        latents: Float[Tensor, "clips latents hidden"],
        context: Float[Tensor, "clips patches hidden"],
    ) -> Float[Tensor, "clips latents hidden"]:
        """One round of reading the patches."""
        normed = self.norm_latents(latents)
        seen = torch.cat([self.norm_context(context), normed], dim=1)
        latents = latents + self.attention(normed, seen)
        return latents + self.mlp(self.norm_mlp(latents))


class Perceiver(nn.Module):
    """Linear projection, then learned latents that read the clip's patches.

    Source: Jaegle et al. (2021), with the latents among the keys as in Flamingo; sizes follow the
    study's table 7 (depth 1, 16 query heads and 4 key-value heads of 96, gated MLP x 4).
    """

    def __init__(self, spec: PerceiverResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.latents = fresh_latents(frames * spec.tokens_per_frame, hidden)
        self.layers = nn.ModuleList(PerceiverLayer(hidden, spec) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(hidden)

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Read each clip on its own."""
        context = rearrange(self.project(grid), "b t h w d -> b (t h w) d")
        latents = repeat(self.latents, "n d -> b n d", b=grid.shape[0])
        for layer in self.layers:
            latents = layer(latents, context)
        return self.norm(latents)
