"""V-JEPA 1: a video encoder over tubelets, built here as transformers has only its successor.

A ViT over tubelets of 2 frames x 16 x 16 pixels with 3-D sine-cosine positions, no class token and
a final norm. Published as `vitl16`, `vith16` and `vith16-384` (facebookresearch/jepa).
"""

from __future__ import annotations

from functools import partial

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.encoders import checkpoints, positions, stored_sizes
from apollo_core.encoders.blocks import Block, PatchEmbedding, initialise
from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, InputSpec, VideoEncoder
from apollo_core.encoders.positions import Grid
from apollo_core.encoders.tubelets import whole_tubelets
from apollo_core.geometry import VisionGeometry

# What the published files don't hold: attention heads and blocks by width, and the frames of their
# table.
_HEADS = {1024: 16, 1280: 16}
_BLOCKS = {1024: 24, 1280: 32}
_FRAMES = 16


class Vjepa(VideoEncoder):
    """Features after the final norm. Positions are a table that is never trained, as published."""

    pos_embed: Tensor

    def __init__(self, geometry: VisionGeometry, *, frames_per_clip: int) -> None:
        super().__init__()
        self.dim = geometry.dim
        self.spec = InputSpec(geometry.size, IMAGENET_MEAN, IMAGENET_STD)
        self.grid = _grid(geometry, frames_per_clip)
        self.patch_embed = PatchEmbedding(
            geometry.dim, patch=geometry.patch, tubelet=geometry.tubelet
        )
        self.register_buffer("pos_embed", positions.sincos(geometry.dim, self.grid))
        norm = partial(nn.LayerNorm, eps=1e-6)
        self.blocks = nn.ModuleList(
            Block(geometry.dim, geometry.heads, geometry.mlp, norm=norm, qkv_bias=True)
            for _ in range(geometry.depth)
        )
        self.norm = norm(geometry.dim)

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots side side dim"]:
        """One temporal slot per tubelet."""
        tokens = self.patch_embed(clips) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        slots, side, _ = self.grid
        return rearrange(self.norm(tokens), "b (t h w) d -> b t h w d", t=slots, h=side)


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> Vjepa:
    """A V-JEPA of this size with fresh weights, for clips of `frames_per_clip` frames."""
    encoder = Vjepa(geometry, frames_per_clip=frames_per_clip)
    initialise(encoder)
    return encoder


def load(source: str, *, revision: str, frames_per_clip: int) -> Vjepa:
    """A published or local checkpoint; its table is resized to the clip length and input size."""
    checkpoint = checkpoints.read(
        source,
        revision=revision,
        family="vjepa",
        entries=("target_encoder",),
        prefixes=("module.", "backbone."),
    )
    geometry = _geometry(checkpoint)
    with torch.device("meta"):
        encoder = Vjepa(geometry, frames_per_clip=frames_per_clip)
    table = positions.trilinear(
        checkpoint.tensors["pos_embed"].float(), _stored_grid(checkpoint), encoder.grid
    )
    checkpoints.fill(encoder, checkpoint.with_tensor("pos_embed", table))
    return encoder


def _grid(geometry: VisionGeometry, frames_per_clip: int) -> Grid:
    slots = whole_tubelets(frames_per_clip, geometry.tubelet, encoder="V-JEPA")
    return Grid(slots, geometry.side, geometry.side)


def _stored_grid(checkpoint: Checkpoint) -> Grid:
    places = checkpoint.shape("pos_embed", 3)[1]
    tubelet = checkpoint.shape("patch_embed.proj.weight", 5)[2]
    slots = stored_sizes.slot_count(checkpoint, tubelet, published=_FRAMES)
    return positions.square_grid(places, slots, origin=checkpoint.origin)


def _geometry(checkpoint: Checkpoint) -> VisionGeometry:
    dim, _, tubelet, patch, _ = checkpoint.shape("patch_embed.proj.weight", 5)
    published = (_BLOCKS[dim],) if dim in _BLOCKS else ()
    return VisionGeometry(
        dim=dim,
        depth=stored_sizes.block_count(checkpoint, "blocks", published=published),
        heads=stored_sizes.head_count(checkpoint, dim, published=_HEADS.get(dim)),
        mlp=checkpoint.shape("blocks.0.mlp.fc1.weight", 2)[0],
        size=stored_sizes.input_size(checkpoint, _stored_grid(checkpoint).rows, patch=patch),
        patch=patch,
        tubelet=tubelet,
    )
