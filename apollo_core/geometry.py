"""Sizes of the parts: what planning needs of a model without building it.

Closed-form parameter counts, so that a plan imports no torch; equal to those of the built models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from apollo_core.errors import BadInput

# Last blocks of a published model that its adapter leaves out, with the reasons there.
DROPPED_BLOCKS = {"clip": 1, "languagebind_image": 1, "languagebind_video": 1, "internvideo2": 1}

# DINOv2's published position tables are of 37 x 37 patches, 518 pixels. At 378 its grid is SigLIP's
# 27 x 27, so that joining the two interpolates neither; the table is interpolated, once.
DINOV2_SIZE = 378


@dataclass(frozen=True)
class Anatomy:
    """What a family of vision transformers has beside the matrices that all of them have.

    Attributes:
        in_block: vectors of the model's width in a block: biases, norms, factors. An attention with
            all biases has 4, the MLP's second layer 1, a LayerNorm 2, an RMSNorm 1.
        around: those outside the blocks: bias of the patch embedding, CLS, its position, norms.
        positions: what the stored position table has an entry for; not CLS. A sin-cos or rotary
            one is computed.
        in_frames: vectors in a block for each frame of a clip.
        attentions: attentions in a block.
    """

    in_block: int
    around: int
    positions: Literal["patch", "patch of clip", "nothing"] = "nothing"
    in_frames: int = 0
    attentions: int = 1


ANATOMIES: dict[str, Anatomy] = {
    # Bias, final norm. The published pooling head is left out.
    "siglip": Anatomy(in_block=9, around=3, positions="patch"),
    # LayerScale in each branch. Bias, CLS and its position, final norm; without the mask token.
    "dinov2": Anatomy(in_block=11, around=5, positions="patch"),
    # No bias; CLS and its position, the norm before the blocks; without the one behind them.
    "clip": Anatomy(in_block=9, around=4, positions="patch"),
    "languagebind_image": Anatomy(in_block=9, around=4, positions="patch"),
    # As CLIP, and in each block an attention over time with its norm and its positions.
    "languagebind_video": Anatomy(
        in_block=15, around=4, positions="patch", in_frames=1, attentions=2
    ),
    # Keys have no bias. Bias, final norm.
    "videomae": Anatomy(in_block=8, around=3),
    "vjepa": Anatomy(in_block=9, around=3),
    # As V-JEPA 1; without the predictor.
    "vjepa2": Anatomy(in_block=9, around=3),
    # RMSNorms, also of queries and keys, who have no bias; LayerScale. Bias, CLS and its position.
    "internvideo2": Anatomy(in_block=8, around=3, positions="patch of clip"),
}


@dataclass(frozen=True)
class VisionGeometry:
    """A vision transformer over patches.

    Attributes:
        dim, depth, heads, mlp: width, blocks that are used, attention heads, hidden width of the
            MLP.
        size, patch: input side and patch side in pixels.
        frames: frames that one forward takes (1 for an image encoder).
        tubelet: frames per temporal slot.
        family: key of its anatomy, and of the adapter that builds it.
        registers: tokens without a place in the picture, beside CLS.
    """

    dim: int
    depth: int
    heads: int
    mlp: int
    size: int
    patch: int
    frames: int = 1
    tubelet: int = 1
    family: str = "siglip"
    registers: int = 0

    @property
    def side(self) -> int:
        """Patches along one side of the output grid."""
        return self.size // self.patch

    @property
    def mlp_ratio(self) -> int:
        """Hidden width of the MLP over the width, for families that know only whole ones."""
        ratio, rest = divmod(self.mlp, self.dim)
        if rest:
            raise BadInput(
                f"{self.family}: an MLP of {self.mlp} is no multiple of the width {self.dim}"
            )
        return ratio

    def slots(self, frames: int) -> int:
        """Temporal slots of the output grid for a clip of `frames` frames."""
        return max(1, frames // self.tubelet)

    def tokens(self, frames: int) -> int:
        """Patches of a clip of `frames` frames."""
        return self.slots(frames) * self.side**2

    @property
    def block_parameters(self) -> int:
        """Matrices of all blocks, which are what a token's way through them costs.

        An attention has 4 d^2, the MLP 2 d m.
        """
        attention = 4 * ANATOMIES[self.family].attentions * self.dim**2
        return self.depth * (attention + 2 * self.dim * self.mlp)

    @property
    def parameters(self) -> int:
        """All of what the adapter builds: matrices, patch embedding, vectors, position table."""
        anatomy = ANATOMIES[self.family]
        patches = self.side**2
        stored = {"nothing": 0, "patch": patches, "patch of clip": self.tokens(self.frames)}
        in_block = anatomy.in_block + anatomy.in_frames * self.frames
        vectors = self.depth * in_block + anatomy.around + self.registers
        return (
            self.block_parameters
            + self.depth * self.mlp
            + 3 * self.tubelet * self.patch**2 * self.dim
            + (vectors + stored[anatomy.positions]) * self.dim
        )


@dataclass(frozen=True)
class LlmGeometry:
    """A decoder-only language model of the Qwen2 kind (gated MLP, grouped key-value heads)."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    vocabulary: int
    tied: bool = True

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden // self.heads

    @property
    def block_parameters(self) -> int:
        """Matrices of all blocks: q and o 2 h^2, k and v 2 h g, gated MLP 3 h m."""
        attention = 2 * self.hidden**2 + 2 * self.hidden * self._group
        return self.layers * (attention + 3 * self.hidden * self.mlp)

    @property
    def parameters(self) -> int:
        """All: blocks with biases of q, k, v and two norms, embedding, final norm, untied head."""
        vectors = self.layers * (3 * self.hidden + 2 * self._group) + self.hidden
        embedding = self.vocabulary * self.hidden
        return self.block_parameters + vectors + embedding * (1 if self.tied else 2)

    @property
    def _group(self) -> int:
        return self.kv_heads * self.head_dim
