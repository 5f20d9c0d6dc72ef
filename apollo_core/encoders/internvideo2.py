"""InternVideo2-1B: a video encoder, built here as transformers has none.

A ViT over patches of single frames, all of a clip's in one attention: queries and keys normalised
over the whole width, both branches of a block scaled, no final norm. Features are those after
block 39 of 40, as video LMMs read it (the study's too), so that the last block is not built. A
picture is a clip of equal frames: the separate table of pictures that stage 2 trained is not used.

The activation is the exact GELU of the published plain path; training ran through a fused kernel
with the tanh form, which differs by about 1e-5 in the features.
"""

from __future__ import annotations

from functools import partial

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.encoders import checkpoints, positions, stored_sizes
from apollo_core.encoders.blocks import Block, PatchEmbedding, RmsNorm, initialise
from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.encoders.encoder import IMAGENET_MEAN, IMAGENET_STD, InputSpec, VideoEncoder
from apollo_core.encoders.positions import Grid
from apollo_core.encoders.tubelets import whole_tubelets
from apollo_core.geometry import VisionGeometry

_USED = 39
# What the published files don't hold: attention heads and blocks by width, and the side of their
# table. The encoder alone is published without its last block too (as VideoChat-Flash's).
_HEADS = {1408: 16}
_BLOCKS = {1408: (39, 40)}
_SIDE = 16

# Training's heads and its other tables; what stage 2 trained beside the encoder.
_LEFT_OUT = (
    f"blocks.{_USED}",
    "img_pos_embed",
    "clip_pos_embed",
    "clip_img_pos_embed",
    "clip_projector",
    "clip_decoder",
    "final_clip_decoder",
    "text_encoder",
    "vision_proj",
    "text_proj",
    "itm_head",
    "temp",
)


class InternVideo2(VideoEncoder):
    """Features of every patch after the last block built, not normalised; no class token."""

    def __init__(
        self, geometry: VisionGeometry, *, frames_per_clip: int, layer_scale: float
    ) -> None:
        super().__init__()
        dim = self.dim = geometry.dim
        self.spec = InputSpec(geometry.size, IMAGENET_MEAN, IMAGENET_STD)
        slots = whole_tubelets(frames_per_clip, geometry.tubelet, encoder="InternVideo2")
        self.grid = Grid(slots, geometry.side, geometry.side)
        self.patch_embed = PatchEmbedding(dim, patch=geometry.patch, tubelet=geometry.tubelet)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        table = positions.sincos(dim, self.grid)
        self.pos_embed = nn.Parameter(torch.cat([torch.zeros_like(table[:, :1]), table], dim=1))
        self.blocks = nn.ModuleList(
            Block(
                dim,
                geometry.heads,
                geometry.mlp,
                norm=partial(RmsNorm, eps=1e-6),
                qkv_bias=False,
                qk_norm=True,
                layer_scale=layer_scale,
            )
            for _ in range(geometry.depth)
        )

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots side side dim"]:
        """One temporal slot per frame (`tubelet` is 1 in the published models)."""
        start = repeat(self.cls_token, "1 1 d -> b 1 d", b=clips.shape[0])
        tokens = torch.cat([start, self.patch_embed(clips)], dim=1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        slots, side, _ = self.grid
        return rearrange(tokens[:, 1:], "b (t h w) d -> b t h w d", t=slots, h=side)


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> InternVideo2:
    """An InternVideo2 of this size with fresh weights, for clips of `frames_per_clip` frames.

    Its branches start unscaled: at the 1e-5 of the published training, thousands of steps would
    pass before a block did anything.
    """
    encoder = InternVideo2(geometry, frames_per_clip=frames_per_clip, layer_scale=1.0)
    initialise(encoder)
    nn.init.normal_(encoder.cls_token, std=0.02)
    return encoder


def load(source: str, *, revision: str, frames_per_clip: int) -> InternVideo2:
    """A published or local checkpoint; its table is resized to the clip length and input size."""
    checkpoint = checkpoints.read(
        source,
        revision=revision,
        family="internvideo2",
        entries=("module", "model"),
        prefixes=("module.", "vision_encoder."),
    )
    geometry = _geometry(checkpoint)
    with torch.device("meta"):
        encoder = InternVideo2(geometry, frames_per_clip=frames_per_clip, layer_scale=1.0)
    start, table = checkpoint.tensors["pos_embed"].float().tensor_split([1], dim=1)
    sized = positions.linear_then_bicubic(table, _stored_grid(checkpoint), encoder.grid)
    whole = checkpoint.with_tensor("pos_embed", torch.cat([start, sized], dim=1))
    checkpoints.fill(encoder, whole, left_out=_LEFT_OUT)
    return encoder


def _stored_grid(checkpoint: Checkpoint) -> Grid:
    places = checkpoint.shape("pos_embed", 3)[1] - 1
    slots = checkpoint.number("num_frames", max(1, places // _SIDE**2))
    return positions.square_grid(places, slots, origin=checkpoint.origin)


def _geometry(checkpoint: Checkpoint) -> VisionGeometry:
    dim, _, tubelet, patch, _ = checkpoint.shape("patch_embed.proj.weight", 5)
    blocks = stored_sizes.block_count(checkpoint, "blocks", published=_BLOCKS.get(dim, ()))
    return VisionGeometry(
        dim=dim,
        depth=min(_USED, blocks),
        heads=stored_sizes.head_count(checkpoint, dim, published=_HEADS.get(dim)),
        mlp=checkpoint.shape("blocks.0.mlp.fc1.weight", 2)[0],
        size=stored_sizes.input_size(checkpoint, _stored_grid(checkpoint).rows, patch=patch),
        patch=patch,
        tubelet=tubelet,
    )
