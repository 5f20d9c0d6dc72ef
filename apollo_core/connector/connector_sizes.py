"""Parameters of a connector by closed form: what planning knows of it without building it.

Exact: a test builds each kind and counts. Throughout, D channels of the encoders that a branch
joins, h width of the language model, n tokens of a clip.
"""

from __future__ import annotations

from collections.abc import Sequence

from apollo_core.connector.branches import encoders_of_stills
from apollo_core.design import (
    AttentionPoolResampler,
    Joining,
    PerceiverResampler,
    QFormerResampler,
    Resampler,
)


def connector_parameters(
    resampler: Resampler,
    *,
    dims: Sequence[int],
    hidden: int,
    frames_per_clip: int,
    joining: Joining = "unified",
    per_frame: Sequence[bool] = (),
) -> int:
    """Parameters of the whole connector; a memory bank has none.

    Two marks of h; and for each branch a norm of each encoder, 2 D, and the resampler. With
    `split` there are two branches.

    With the study's base (InternVideo2 and SigLIP, perceiver) and h = 1536, 2048, 3584 this gives
    the 38.4M, 63.6M and 177M of the study's table 7 to half a per cent.

    Args:
        resampler: kind and sizes.
        dims: channels of each encoder.
        hidden: width of the language model, h.
        frames_per_clip: frames of one clip.
        joining: `unified` or `split`.
        per_frame: for each encoder whether it is an image encoder; only `split` asks.

    Raises:
        BadInput: `split` without an image encoder.
    """
    branches = [sum(dims)]
    stills = encoders_of_stills(joining, per_frame)
    if stills is not None:
        branches.append(sum(dims[place] for place in stills))
    tokens = frames_per_clip * resampler.tokens_per_frame
    each = (2 * dim + resampler_parameters(resampler, dim, hidden, tokens) for dim in branches)
    return 2 * hidden + sum(each)


def resampler_parameters(resampler: Resampler, dim: int, hidden: int, tokens: int) -> int:
    """Parameters of one branch's projection from D to h and its resampler to n tokens."""
    if isinstance(resampler, PerceiverResampler):
        return _perceiver(resampler, dim, hidden, tokens)
    if isinstance(resampler, AttentionPoolResampler):
        return _attention_pool(resampler, dim, hidden, tokens)
    if isinstance(resampler, QFormerResampler):
        return _qformer(resampler, dim, hidden, tokens)
    kernel = 9 if resampler.kind == "conv_avg" else 1
    return _linear(kernel * dim, hidden) + _linear(kernel * hidden, hidden) + _norm(hidden)


def _perceiver(spec: PerceiverResampler, dim: int, hidden: int, tokens: int) -> int:
    """In each layer attention 2 h (i + g) for widths i of queries and g of keys, and 3 h (r h)."""
    inner, group = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
    layer = 2 * hidden * (inner + group) + 3 * hidden * spec.mlp_ratio * hidden + 3 * _norm(hidden)
    return _linear(dim, hidden) + tokens * hidden + spec.depth * layer + _norm(hidden)


def _attention_pool(spec: AttentionPoolResampler, dim: int, hidden: int, tokens: int) -> int:
    attention = 4 * hidden * spec.heads * spec.head_dim
    return _linear(dim, hidden) + tokens * hidden + attention + 3 * _norm(hidden)


def _qformer(spec: QFormerResampler, dim: int, hidden: int, tokens: int) -> int:
    """In each layer, of width w, two attentions of 4 w^2 and an MLP from w to r w and back."""
    width, inner = spec.width, spec.mlp_ratio * spec.width
    mlp = _linear(width, inner) + _linear(inner, width)
    layer = 8 * width**2 + mlp + 3 * _norm(width)
    rim = _linear(dim, width) + tokens * width + 2 * _norm(width) + _linear(width, hidden)
    words = _norm(hidden) + _linear(hidden, width) if spec.text else 0
    return rim + spec.depth * layer + words


def _linear(inputs: int, outputs: int) -> int:
    return (inputs + 1) * outputs


def _norm(width: int) -> int:
    return 2 * width
