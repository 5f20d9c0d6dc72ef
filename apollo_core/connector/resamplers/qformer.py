"""Q-Former: learned queries through a small transformer that reads a clip's patches.

With `text` the queries also read the words of the question about the clip, so that what a clip's
tokens hold depends on what is asked: the study's "text-conditioned resampler" of future work.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from apollo_core.connector.resamplers.attention import Attention, fresh_latents
from apollo_core.design import QFormerResampler


@dataclass(frozen=True)
class Words:
    """The question about each clip.

    Attributes:
        embedded: as the language model embeds them.
        present: False behind a question's end.
    """

    embedded: Float[Tensor, "clips words hidden"]
    present: Bool[Tensor, "clips words"]

    def of(self, chosen: Bool[Tensor, " clips"]) -> Words:
        """Those of the chosen clips."""
        return Words(self.embedded[chosen], self.present[chosen])


class QFormerLayer(nn.Module):
    """Self-attention, cross-attention, MLP; each behind a norm and beside a residual."""

    def __init__(self, spec: QFormerResampler) -> None:
        super().__init__()
        width, heads = spec.width, spec.heads
        shape = {"heads": heads, "kv_heads": heads, "head_dim": width // heads}
        self.norm_self = nn.LayerNorm(width)
        self.attend_self = Attention(width, **shape)
        self.norm_cross = nn.LayerNorm(width)
        self.attend_patches = Attention(width, **shape)
        self.norm_mlp = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, spec.mlp_ratio * width),
            nn.GELU(),
            nn.Linear(spec.mlp_ratio * width, width),
        )

    def forward(
        self,
        queries: Float[Tensor, "clips queries width"],
        patches: Float[Tensor, "clips patches width"],
        words: Words | None,
    ) -> Float[Tensor, "clips queries width"]:
        """Queries see one another and the words, then the patches."""
        normed = self.norm_self(queries)
        seen, readable = normed, None
        if words is not None:
            seen = torch.cat([normed, words.embedded], dim=1)
            always = words.present.new_ones(normed.shape[:2])
            readable = torch.cat([always, words.present], dim=1)
        queries = queries + self.attend_self(normed, seen, readable)
        queries = queries + self.attend_patches(self.norm_cross(queries), patches)
        return queries + self.mlp(self.norm_mlp(queries))


class QFormer(nn.Module):
    """Linear projection to `width`, learned queries through `depth` layers, linear to `hidden`.

    Source: Li et al. (2023), BLIP-2; norms stand before each block and every layer reads the
    patches (there: behind, and every second), so that it trains from scratch without their
    pretraining. Words are keys and values of the self-attention, as in InstructBLIP, but are not
    transformed themselves; sinusoids tell their order.

    Attributes:
        conditioned: whether it reads the question.
    """

    def __init__(self, spec: QFormerResampler, dim: int, hidden: int, frames: int) -> None:
        super().__init__()
        self.conditioned = spec.text
        self.project = nn.Linear(dim, spec.width)
        self.norm_patches = nn.LayerNorm(spec.width)
        self.queries = fresh_latents(frames * spec.tokens_per_frame, spec.width)
        self.layers = nn.ModuleList(QFormerLayer(spec) for _ in range(spec.depth))
        self.norm = nn.LayerNorm(spec.width)
        self.widen = nn.Linear(spec.width, hidden)
        if spec.text:
            self.norm_words = nn.LayerNorm(hidden)
            self.project_words = nn.Linear(hidden, spec.width)

    def forward(
        self, grid: Float[Tensor, "clips slots rows columns dim"], words: Words | None = None
    ) -> Float[Tensor, "clips tokens hidden"]:
        """Read each clip on its own; `words` exactly where the spec says `text`."""
        assert (words is not None) == self.conditioned
        patches = rearrange(self.project(grid), "b t h w d -> b (t h w) d")
        patches = self.norm_patches(patches)
        queries = repeat(self.queries, "n d -> b n d", b=grid.shape[0])
        known = None if words is None else self._known(words)
        for layer in self.layers:
            queries = layer(queries, patches, known)
        return self.widen(self.norm(queries))

    def _known(self, words: Words) -> Words:
        """The words as wide as the queries, each told its place.

        Normed first: language models embed words some 0.02 wide, and the places would drown them.
        """
        projected = self.project_words(self.norm_words(words.embedded))
        places = sinusoids(projected.shape[1], projected.shape[2]).to(projected)
        return Words(projected + places, words.present)


def sinusoids(count: int, width: int) -> Float[Tensor, "count width"]:
    """sin and cos of place / 10000^(2 i / width); Vaswani et al. (2017), section 3.5."""
    rates = 10000 ** (-torch.arange(0, width, 2) / width)
    angles = torch.arange(count)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]
