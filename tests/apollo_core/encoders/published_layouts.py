"""Names and shapes of the published encoders' tensors, as their own code makes them.

Derived from facebookresearch/jepa (`src/models/vision_transformer.py`), OpenGVLab/InternVideo
(`InternVideo2/multi_modality/models`) and PKU-YuanGroup/LanguageBind (`languagebind/video`),
without what training put around them (entries, prefixes).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from apollo_core.geometry import VisionGeometry

Layout = dict[str, tuple[int, ...]]


def linear(name: str, inputs: int, outputs: int) -> Layout:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name: str, dim: int) -> Layout:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}


def vjepa(g: VisionGeometry, places: int) -> Layout:
    layout: Layout = {
        "pos_embed": (1, places, g.dim),
        "patch_embed.proj.weight": (g.dim, 3, g.tubelet, g.patch, g.patch),
        "patch_embed.proj.bias": (g.dim,),
        **norm("norm", g.dim),
    }
    for block in (f"blocks.{index}" for index in range(g.depth)):
        layout |= norm(f"{block}.norm1", g.dim) | norm(f"{block}.norm2", g.dim)
        layout |= linear(f"{block}.attn.qkv", g.dim, 3 * g.dim)
        layout |= linear(f"{block}.attn.proj", g.dim, g.dim)
        layout |= linear(f"{block}.mlp.fc1", g.dim, g.mlp)
        layout |= linear(f"{block}.mlp.fc2", g.mlp, g.dim)
    return layout


def internvideo2(g: VisionGeometry, places: int) -> Layout:
    """The encoder itself; `places` counts the class token."""
    layout: Layout = {
        "cls_token": (1, 1, g.dim),
        "pos_embed": (1, places, g.dim),
        "patch_embed.proj.weight": (g.dim, 3, g.tubelet, g.patch, g.patch),
        "patch_embed.proj.bias": (g.dim,),
    }
    for block in (f"blocks.{index}" for index in range(g.depth)):
        vectors = ("norm1", "norm2", "attn.q_norm", "attn.k_norm")
        layout |= {f"{block}.{name}.weight": (g.dim,) for name in vectors}
        layout |= {f"{block}.{name}.gamma": (g.dim,) for name in ("ls1", "ls2")}
        layout |= {f"{block}.attn.qkv.weight": (3 * g.dim, g.dim)}
        layout |= linear(f"{block}.attn.proj", g.dim, g.dim)
        layout |= linear(f"{block}.mlp.fc1", g.dim, g.mlp)
        layout |= linear(f"{block}.mlp.fc2", g.mlp, g.dim)
    return layout


def internvideo2_heads(dim: int, places: int, clip: int = 6, teacher: int = 10) -> Layout:
    """What training hangs onto the encoder: other tables, an attention pool, decoders."""
    side = 1 + (places - 1) // 4
    layout: Layout = {
        "img_pos_embed": (1, side, dim),
        "clip_pos_embed": (1, places, dim),
        "clip_img_pos_embed": (1, side, dim),
    }
    for name in ("q", "k", "v"):
        layout |= norm(f"clip_projector.norm1_{name}", dim)
        layout[f"clip_projector.cross_attn.{name}.weight"] = (dim, dim)
        layout[f"clip_projector.cross_attn.{name}_bias"] = (dim,)
    layout |= linear("clip_projector.cross_attn.proj", dim, clip)
    for index in range(6):
        layout |= linear(f"clip_decoder.{index}.head", dim, teacher)
        layout |= norm(f"clip_decoder.{index}.norm", teacher)
    return (
        layout
        | linear("final_clip_decoder.head", clip, clip)
        | norm("final_clip_decoder.norm", clip)
    )


def languagebind(g: VisionGeometry, frames: int) -> Layout:
    """The vision tower with the prefix `vision_model.` taken off."""
    layout: Layout = {
        "embeddings.class_embedding": (g.dim,),
        "embeddings.patch_embedding.weight": (g.dim, 3, g.patch, g.patch),
        "embeddings.position_embedding.weight": (1 + g.side**2, g.dim),
        **norm("pre_layrnorm", g.dim),
    }
    for layer in (f"encoder.layers.{index}" for index in range(g.depth)):
        layout[f"{layer}.temporal_embedding"] = (1, frames, g.dim)
        for name in ("temporal_layer_norm1", "layer_norm1", "layer_norm2"):
            layout |= norm(f"{layer}.{name}", g.dim)
        for attention in ("temporal_attn", "self_attn"):
            for matrix in ("q_proj", "k_proj", "v_proj", "out_proj"):
                layout |= linear(f"{layer}.{attention}.{matrix}", g.dim, g.dim)
        layout |= linear(f"{layer}.mlp.fc1", g.dim, g.mlp)
        layout |= linear(f"{layer}.mlp.fc2", g.mlp, g.dim)
    return layout


def random_tensors(layout: Layout, seed: int = 0) -> dict[str, Tensor]:
    """Tensors of this layout that let signals through: norms near 1, matrices of unit gain."""
    generator = torch.Generator().manual_seed(seed)
    return dict(_random(layout, generator))


def _random(layout: Layout, generator: torch.Generator) -> Iterator[tuple[str, Tensor]]:
    for name, shape in layout.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1 and not name.endswith("bias"):
            yield name, 1 + 0.2 * noise
        else:
            inputs = noise[0].numel() if len(shape) in (2, 4, 5) else 4
            yield name, noise * inputs**-0.5
