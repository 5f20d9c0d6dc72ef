"""Attention pooling: one cross-attention from learned queries to a clip's patches."""

from __future__ import annotations

from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.connector.resamplers.attention import Attention, fresh_latents
from apollo_core.design import AttentionPoolResampler


class AttentionPool(nn.Module):
    """Linear projection, then each learned query reads the patches once; no MLP behind it.

    The smallest resampler that attends: a perceiver of depth 1 without its MLP, whose queries do
    not see one another. Each query keeps its own vector beside what it reads, so that tokens are
    told apart before the attention has learned to.
    """

    def __init__(self, spec: AttentionPoolResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.project = nn.Linear(dim, hidden)
        self.queries = fresh_latents(frames * spec.tokens_per_frame, hidden)
        self.norm_queries = nn.LayerNorm(hidden)
        self.norm_context = nn.LayerNorm(hidden)
        self.attention = Attention(
            hidden, heads=spec.heads, kv_heads=spec.heads, head_dim=spec.head_dim
        )
        self.norm = nn.LayerNorm(hidden)

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"]
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Read each clip on its own."""
        context = rearrange(self.project(grid), "b t h w d -> b (t h w) d")
        queries = repeat(self.queries, "n d -> b n d", b=grid.shape[0])
        read = self.attention(self.norm_queries(queries), self.norm_context(context))
        return self.norm(queries + read)
