"""LanguageBind's video encoder: CLIP ViT-L/14 with attention over time in front of every layer.

Features are those after the last layer but one, not normalised, for the reasons in `clip.py`: here
too, only class tokens were pooled in training. They take part in both attentions and are left out
of the grid. The published preprocessing crops and mirrors clips at random, at evaluation too;
neither is done here.

Of the published weights the full fine-tunes load (`..._V1.5_FT`, `..._FT`); those that were trained
with low-rank adapters are refused, since their tensors would have to be merged first.
"""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from apollo_core.encoders import checkpoints, languagebind, positions
from apollo_core.encoders.blocks import Mlp, attend, initialise, initialise_positions
from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.encoders.encoder import CLIP_MEAN, CLIP_STD, InputSpec, VideoEncoder
from apollo_core.encoders.languagebind import ACTIVATIONS, EPS, Activation
from apollo_core.encoders.positions import Grid
from apollo_core.geometry import VisionGeometry

_LEFT_OUT = (*languagebind.LEFT_OUT, "position_ids", "post_layernorm")


class ClipAttention(nn.Module):
    """Self-attention with a matrix each for queries, keys and values, as CLIP stores them."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Every token from every token of its row."""
        mixed = attend(self.q_proj(x), self.k_proj(x), self.v_proj(x), heads=self.heads)
        return self.out_proj(mixed)


class Layer(nn.Module):
    """Attention of each place over time, then CLIP's layer of each frame."""

    def __init__(
        self, geometry: VisionGeometry, *, frames: int, activation: Activation, eps: float
    ) -> None:
        super().__init__()
        dim = geometry.dim
        self.temporal_embedding = nn.Parameter(torch.zeros(1, frames, dim))
        self.temporal_layer_norm1 = nn.LayerNorm(dim, eps=eps)
        self.temporal_attn = ClipAttention(dim, geometry.heads)
        self.layer_norm1 = nn.LayerNorm(dim, eps=eps)
        self.self_attn = ClipAttention(dim, geometry.heads)
        self.layer_norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = Mlp(dim, geometry.mlp, activation)

    def forward(
        self, x: Float[Tensor, "clips frames tokens dim"]
    ) -> Float[Tensor, "clips frames tokens dim"]:
        """The embedding of time stays in what goes on, not only in what attention reads.

        A single frame gets none, as published.
        """
        clips, frames = x.shape[:2]
        times = rearrange(x, "b t n d -> (b n) t d")
        if frames > 1:
            times = times + self.temporal_embedding
        times = times + self.temporal_attn(self.temporal_layer_norm1(times))
        tokens = rearrange(times, "(b n) t d -> (b t) n d", b=clips)
        tokens = tokens + self.self_attn(self.layer_norm1(tokens))
        tokens = tokens + self.mlp(self.layer_norm2(tokens))
        return rearrange(tokens, "(b t) n d -> b t n d", t=frames)


class LanguageBindVideo(VideoEncoder):
    """Features of every patch of every frame after the last layer built, not normalised."""

    def __init__(
        self,
        geometry: VisionGeometry,
        *,
        frames_per_clip: int,
        activation: Activation = functional.gelu,
        eps: float = EPS,
    ) -> None:
        super().__init__()
        dim = self.dim = geometry.dim
        self.spec = InputSpec(geometry.size, CLIP_MEAN, CLIP_STD)
        self._side = geometry.side
        self.class_embedding = nn.Parameter(torch.zeros(dim))
        self.patch_embedding = nn.Conv2d(3, dim, geometry.patch, geometry.patch, bias=False)
        self.position_embedding = nn.Embedding(1 + geometry.side**2, dim)
        # Misspelt as published.
        self.pre_layrnorm = nn.LayerNorm(dim, eps=eps)
        self.layers = nn.ModuleList(
            Layer(geometry, frames=frames_per_clip, activation=activation, eps=eps)
            for _ in range(geometry.depth)
        )

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips frames side side dim"]:
        """One temporal slot per frame."""
        return rearrange(self.with_class(clips)[:, :, 1:], "b t (h w) d -> b t h w d", h=self._side)

    def with_class(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips frames tokens dim"]:
        """The same tokens, each frame's behind its class token."""
        count, frames = clips.shape[:2]
        patches = self.patch_embedding(rearrange(clips, "b t c h w -> (b t) c h w"))
        patches = rearrange(patches, "b d h w -> b (h w) d")
        start = repeat(self.class_embedding, "d -> b 1 d", b=count * frames)
        tokens = torch.cat([start, patches], dim=1) + self.position_embedding.weight
        tokens = rearrange(self.pre_layrnorm(tokens), "(b t) n d -> b t n d", b=count)
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


def create(geometry: VisionGeometry, *, frames_per_clip: int) -> LanguageBindVideo:
    """A LanguageBind video encoder of this size with fresh weights."""
    encoder = LanguageBindVideo(geometry, frames_per_clip=frames_per_clip)
    initialise(encoder)
    spread = geometry.dim**-0.5
    for table in [encoder.class_embedding, *(layer.temporal_embedding for layer in encoder.layers)]:
        nn.init.normal_(table, std=spread)
    initialise_positions(encoder.position_embedding.weight)
    return encoder


def load(source: str, *, revision: str, frames_per_clip: int) -> LanguageBindVideo:
    """A published or local checkpoint, its last layer left out.

    Its embeddings of time are resized to the clip length: linearly, which is ours, as the published
    code takes 8 frames only.
    """
    family = "languagebind_video"
    prefixes = ("vision_model.", "encoder.", "embeddings.")
    checkpoint = languagebind.read(source, revision=revision, family=family, prefixes=prefixes)
    with torch.device("meta"):
        encoder = LanguageBindVideo(
            languagebind.geometry(checkpoint, family=family),
            frames_per_clip=frames_per_clip,
            activation=ACTIVATIONS[languagebind.activation_name(checkpoint)],
            eps=languagebind.layer_norm_eps(checkpoint),
        )
    used = len(encoder.layers)
    for index in range(used):
        checkpoint = _resized_in_time(
            checkpoint, f"layers.{index}.temporal_embedding", frames_per_clip
        )
    checkpoints.fill(encoder, checkpoint, left_out=(*_LEFT_OUT, f"layers.{used}"))
    return encoder


def _resized_in_time(checkpoint: Checkpoint, name: str, frames: int) -> Checkpoint:
    if name not in checkpoint.tensors:
        return checkpoint  # `fill` names it
    before = Grid(checkpoint.shape(name, 3)[1], 1, 1)
    table = checkpoint.tensors[name].float()
    return checkpoint.with_tensor(
        name, positions.linear_then_bicubic(table, before, Grid(frames, 1, 1))
    )
