"""FLOPs of one clip through a branch of the connector, by closed form.

Matrix products and convolutions are counted, 2 FLOPs a multiply-add; norms and activations are
not. Throughout, D channels of the branch's encoders, h width of the language model, P places of
the joined grid, n tokens of a clip.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from apollo_core.design import (
    AttentionPoolResampler,
    PerceiverResampler,
    QFormerResampler,
    Resampler,
)

Size = tuple[int, int, int]


@dataclass(frozen=True)
class Grid:
    """An encoder's output for a clip.

    Attributes:
        size: slots, rows, columns.
        dim: channels.
    """

    size: Size
    dim: int


def branch_flops(
    resampler: Resampler, grids: Sequence[Grid], *, hidden: int, frames: int, words: int
) -> float:
    """FLOPs of joining, projecting and resampling one clip.

    Args:
        resampler: kind and sizes.
        grids: of the branch's encoders.
        hidden: width of the language model, h.
        frames: of one clip.
        words: of the question, for a resampler that reads it.
    """
    slots, rows, columns = (max(sizes) for sizes in zip(*(g.size for g in grids), strict=True))
    joined = Grid((slots, rows, columns), sum(grid.dim for grid in grids))
    join = sum(_resize(grid.size, joined.size, grid.dim) for grid in grids)
    return 2.0 * (join + _resample(resampler, joined, hidden=hidden, frames=frames, words=words))


def _resample(resampler: Resampler, grid: Grid, *, hidden: int, frames: int, words: int) -> int:
    places, tokens = math.prod(grid.size), frames * resampler.tokens_per_frame
    if isinstance(resampler, PerceiverResampler):
        return places * grid.dim * hidden + _perceiver(resampler, places, tokens, hidden)
    if isinstance(resampler, AttentionPoolResampler):
        inner = resampler.heads * resampler.head_dim
        read = _attention(tokens, places, width=hidden, inner=inner, group=inner)
        return places * grid.dim * hidden + read
    if isinstance(resampler, QFormerResampler):
        read = _qformer(resampler, places, tokens, words if resampler.text else 0)
        rim = places * grid.dim + tokens * hidden + (words * hidden if resampler.text else 0)
        return rim * resampler.width + read
    kernel = 9 if resampler.kind == "conv_avg" else 1
    projection = kernel * places * (grid.dim * hidden + hidden**2)
    area = resampler.tokens_per_frame
    across = next(side for side in range(math.isqrt(area), 0, -1) if area % side == 0)
    return projection + _resize(grid.size, (frames, across, area // across), hidden)


def _perceiver(spec: PerceiverResampler, places: int, tokens: int, hidden: int) -> int:
    """In each layer the latents read the places and themselves, then the gated MLP, 3 n h (r h)."""
    read = _attention(
        tokens,
        places + tokens,
        width=hidden,
        inner=spec.heads * spec.head_dim,
        group=spec.kv_heads * spec.head_dim,
    )
    return spec.depth * (read + 3 * tokens * spec.mlp_ratio * hidden**2)


def _qformer(spec: QFormerResampler, places: int, tokens: int, words: int) -> int:
    """In each layer, of width w, queries read themselves and the words, the places, then an MLP."""
    width = spec.width
    own = _attention(tokens, tokens + words, width=width, inner=width, group=width)
    across = _attention(tokens, places, width=width, inner=width, group=width)
    return spec.depth * (own + across + 2 * tokens * spec.mlp_ratio * width**2)


def _attention(readers: int, places: int, *, width: int, inner: int, group: int) -> int:
    """Queries and outputs 2 n w i, keys and values 2 m w g, scores and weighted sums 2 n m i."""
    return 2 * (readers * width * inner + places * width * group + readers * places * inner)


def _resize(old: Size, new: Size, channels: int) -> int:
    """One product with a (new, old) matrix along each side, the sides that shrink most first."""
    sizes, total = list(old), 0
    for axis in sorted(range(3), key=lambda axis: new[axis] / old[axis]):
        if old[axis] != new[axis]:
            total += math.prod(sizes) * new[axis] * channels
            sizes[axis] = new[axis]
    return total
