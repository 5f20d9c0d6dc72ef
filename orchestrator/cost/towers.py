"""Bytes that the blocks of a tower, an encoder or the language model, keep for their backward.

A block keeps, for each token, so many bytes times its width and so many times the hidden width of
its MLP; the numbers below are sums over the tensors that autograd saves in the very classes that a
stage runs (LayerNorm and GELU their inputs, a linear layer its input, attention its queries, keys,
values and result), and a test holds them to those. Attention is taken to be a fused kernel, which
keeps no matrix of scores; masks and statistics of norms are left out. Sums under autocast keep
float32 beside its bfloat16 copies, hence no plain halves.

Throughout: d width of an encoder, h width of the language model, m hidden width of an MLP, g width
of all key-value heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.stages.identity import Precision


class Kept(NamedTuple):
    """Bytes that a block keeps for each token: times its width, and times its MLP's."""

    width: float
    mlp: float


# family -> in float32, in bfloat16.
VISION: dict[str, dict[Precision, Kept]] = {
    "siglip": {"float32": Kept(32, 8), "bfloat16": Kept(24, 4)},
    # QuickGELU keeps its sigmoid beside its input.
    "clip": {"float32": Kept(32, 12), "bfloat16": Kept(24, 6)},
    "languagebind_image": {"float32": Kept(32, 8), "bfloat16": Kept(24, 4)},
    # Both branches' inputs of LayerScale.
    "dinov2": {"float32": Kept(40, 8), "bfloat16": Kept(28, 4)},
    # A second attention, over time, with its norm.
    "languagebind_video": {"float32": Kept(56, 8), "bfloat16": Kept(42, 4)},
    "videomae": {"float32": Kept(32, 8), "bfloat16": Kept(16, 4)},
    "vjepa": {"float32": Kept(32, 8), "bfloat16": Kept(20, 4)},
    # Rotated queries and keys.
    "vjepa2": {"float32": Kept(38, 8), "bfloat16": Kept(19, 4)},
    # Norms of queries and keys and LayerScale, all in float32.
    "internvideo2": {"float32": Kept(64, 8), "bfloat16": Kept(56, 4)},
}


class LlmKept(NamedTuple):
    """Bytes that a block of the language model keeps for each position, times h, m and g."""

    width: float
    mlp: float
    group: float


# (precision, whether it is trained): a frozen one keeps no inputs of matrices.
LLM: dict[tuple[Precision, bool], LlmKept] = {
    ("float32", True): LlmKept(36, 16, 8),
    ("float32", False): LlmKept(16, 12, 8),
    ("bfloat16", True): LlmKept(32, 8, 4),
    ("bfloat16", False): LlmKept(12, 6, 4),
}


@dataclass(frozen=True)
class Tower:
    """What a tower keeps for its backward.

    Attributes:
        depth, block: blocks, and bytes that one keeps.
        inputs: bytes of what enters all blocks.
        around: bytes of what is kept outside them.
        matrices: parameters of which autocast makes copies.
        trained: whether they learn.
    """

    depth: int
    block: float
    inputs: float
    around: float
    matrices: int
    trained: bool


def encoder_tower(encoder: VisionGeometry, clips: int, frames: int, precision: Precision) -> Tower:
    """Outside the blocks: the pixels that the patch embedding reads, the last norm's input."""
    tokens = clips * encoder.tokens(frames)
    kept = VISION[encoder.family][precision]
    pixels = (4 if precision == "float32" else 2) * 3.0 * clips * frames * encoder.size**2
    return Tower(
        depth=encoder.depth,
        block=tokens * (kept.width * encoder.dim + kept.mlp * encoder.mlp),
        inputs=4.0 * tokens * encoder.dim * encoder.depth,
        around=pixels + 4.0 * tokens * encoder.dim,
        matrices=encoder.block_parameters,
        trained=True,
    )


def language_tower(llm: LlmGeometry, length: int, precision: Precision, *, trained: bool) -> Tower:
    """Outside the blocks: what the last norm reads and hands on."""
    kept = LLM[precision, trained]
    group = llm.kv_heads * llm.head_dim
    return Tower(
        depth=llm.layers,
        block=length * (kept.width * llm.hidden + kept.mlp * llm.mlp + kept.group * group),
        inputs=4.0 * length * llm.hidden * llm.layers,
        around=8.0 * length * llm.hidden,
        matrices=llm.block_parameters + llm.vocabulary * llm.hidden,
        trained=trained,
    )
