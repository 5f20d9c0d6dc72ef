"""From a clip's grid of features to a fixed number of tokens as wide as the language model.

Each resampler projects first and resamples second, as the study does: (clips, slots, rows, columns,
dim) -> (clips, frames_per_clip * tokens_per_frame, hidden).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.design import MlpAvgResampler, PerceiverResampler, Resampler
from apollo_core.errors import pick


class Attention(nn.Module):
    """Grouped-query attention of latents over (context, latents)."""

    def __init__(self, hidden: int, spec: PerceiverResampler) -> None:
        super().__init__()
        self.heads, self.kv_heads = spec.heads, spec.kv_heads
        inner, group = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
        self.q = nn.Linear(hidden, inner, bias=False)
        self.k = nn.Linear(hidden, group, bias=False)
        self.v = nn.Linear(hidden, group, bias=False)
        self.o = nn.Linear(inner, hidden, bias=False)

    def forward(
        self,
        latents: Float[Tensor, "clips latents hidden"],
        context: Float[Tensor, "clips patches hidden"],
    ) -> Float[Tensor, "clips latents hidden"]:
        """Latents see the patches and one another."""
        seen = torch.cat([context, latents], dim=1)
        q = rearrange(self.q(latents), "b n (h d) -> b h n d", h=self.heads)
        k = rearrange(self.k(seen), "b n (h d) -> b h n d", h=self.kv_heads)
        v = rearrange(self.v(seen), "b n (h d) -> b h n d", h=self.kv_heads)
        k, v = (repeat(x, "b h n d -> b (h g) n d", g=self.heads // self.kv_heads) for x in (k, v))
        read = functional.scaled_dot_product_attention(q, k, v)
        return self.o(rearrange(read, "b h n d -> b n (h d)"))


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
    """Attention and MLP, each behind a norm and beside a residual."""

    def __init__(self, hidden: int, spec: PerceiverResampler) -> None:
        super().__init__()
        self.norm_latents = nn.LayerNorm(hidden)
        self.norm_context = nn.LayerNorm(hidden)
        self.attention = Attention(hidden, spec)
        self.norm_mlp = nn.LayerNorm(hidden)
        self.mlp = GatedMlp(hidden, spec.mlp_ratio * hidden)

    def forward(
        self,
        latents: Float[Tensor, "clips latents hidden"],
        context: Float[Tensor, "clips patches hidden"],
    ) -> Float[Tensor, "clips latents hidden"]:
        """One round of reading the patches."""
        latents = latents + self.attention(self.norm_latents(latents), self.norm_context(context))
        return latents + self.mlp(self.norm_mlp(latents))


class Perceiver(nn.Module):
    """Linear projection, then learned latents that read the clip's patches.

    Source: Jaegle et al. (2021), with the latents among the keys as in Flamingo; sizes follow the
    study's table 7 (depth 1, 16 query heads and 4 key-value heads of 96, gated MLP x 4).

    As in the study's released code nothing tells the latents which slot a patch is of: a video
    encoder's features say it themselves, an image encoder's do not, so that with image encoders
    alone the order of frames inside a clip is lost here (and kept by `mlp_avg`).
    """

    def __init__(self, spec: PerceiverResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.latents = nn.Parameter(torch.randn(frames * spec.tokens_per_frame, hidden) * 0.02)
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


class MlpAvg(nn.Module):
    """Two-layer MLP, then adaptive average pooling (table 1 of the study).

    The grid becomes (frames_per_clip, a, b) with a * b = tokens_per_frame, a <= b as near to a
    square as the number allows.
    """

    def __init__(self, spec: MlpAvgResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
        )
        self.size = (frames, *_nearest_to_square(spec.tokens_per_frame))

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Pool each clip on its own."""
        channels_first = rearrange(self.project(grid), "b t h w d -> b d t h w")
        pooled = functional.adaptive_avg_pool3d(channels_first, self.size)
        return rearrange(pooled, "b d t h w -> b (t h w) d")


def _nearest_to_square(count: int) -> tuple[int, int]:
    rows = next(a for a in range(int(count**0.5), 0, -1) if count % a == 0)
    return rows, count // rows


RESAMPLERS: dict[str, Callable[..., nn.Module]] = {"perceiver": Perceiver, "mlp_avg": MlpAvg}


def build_resampler(spec: Resampler, *, dim: int, hidden: int, frames: int) -> nn.Module:
    """Build the resampler that `spec` names.

    Args:
        spec: kind and sizes.
        dim: channels of the joined grid.
        hidden: width of the language model.
        frames: frames per clip.

    Raises:
        BadInput: a kind that is known but not built yet.
    """
    return pick(RESAMPLERS, spec.kind, field="resampler.kind")(spec, dim, hidden, frames)
