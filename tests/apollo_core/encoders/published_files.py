"""Tiny checkpoints as the published ones are laid out, and clips to put through them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import published_layouts as layouts
import torch
from safetensors.torch import save_file
from slow_reference import Array
from torch import Tensor, nn

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.geometry import VisionGeometry

VJEPA = VisionGeometry(dim=20, depth=2, heads=2, mlp=24, size=8, patch=4, frames=16, tubelet=2)
INTERNVIDEO2 = VisionGeometry(dim=12, depth=40, heads=2, mlp=20, size=6, patch=3, frames=4)
LANGUAGEBIND = VisionGeometry(dim=16, depth=3, heads=2, mlp=24, size=8, patch=4, frames=8)


def vjepa_tensors() -> dict[str, Tensor]:
    """A V-JEPA of 16 frames."""
    return layouts.random_tensors(layouts.vjepa(VJEPA, places=8 * 4))


def internvideo2_tensors() -> dict[str, Tensor]:
    """An InternVideo2 of 40 blocks and 4 frames, with everything that training hung onto it."""
    places = 1 + 4 * 4
    return layouts.random_tensors(
        layouts.internvideo2(INTERNVIDEO2, places)
        | layouts.internvideo2_heads(INTERNVIDEO2.dim, places)
    )


def languagebind_tensors() -> dict[str, Tensor]:
    """A LanguageBind vision tower of 8 frames, its pooled norm included."""
    layout = layouts.languagebind(LANGUAGEBIND, frames=8)
    return layouts.random_tensors(layout | layouts.norm("post_layernorm", LANGUAGEBIND.dim))


def save_vjepa(folder: Path, tensors: dict[str, Tensor]) -> Path:
    """`vitl16.pth.tar`: both encoders, the predictor, the optimiser, numbers."""
    wrapped = {f"module.backbone.{name}": tensor for name, tensor in tensors.items()}
    online = {name: torch.zeros_like(tensor) for name, tensor in wrapped.items()}
    content = {
        "encoder": online,
        "predictor": {"module.backbone.mask_tokens.0": torch.zeros(1, 1, 4)},
        "opt": {
            "state": {0: {"step": 3, "exp_avg": torch.zeros(4)}},
            "param_groups": [{"lr": 0.1}],
        },
        "scaler": None,
        "target_encoder": wrapped,
        "epoch": 300,
        "loss": 0.5,
        "lr": 1e-6,
    }
    torch.save(content, folder / "vitl16.pth.tar")
    write_config(folder, num_hidden_layers=VJEPA.depth, num_attention_heads=2)
    return folder


def save_internvideo2(folder: Path, tensors: dict[str, Tensor]) -> Path:
    """`InternVideo2-stage2_1b-224p-f4.pt`: the encoder beside a text tower and projections."""
    content = {f"vision_encoder.{name}": tensor for name, tensor in tensors.items()}
    content |= layouts.random_tensors(
        layouts.linear("vision_proj", 6, 5)
        | layouts.linear("text_proj", 6, 5)
        | layouts.linear("itm_head", 6, 2)
        | layouts.linear("text_encoder.bert.encoder.layer.0.attention.self.query", 6, 6)
    )
    content["temp"] = torch.tensor(0.07)
    torch.save({"module": content}, folder / "InternVideo2-stage2_1b-224p-f4.pt")
    depth = INTERNVIDEO2.depth
    write_config(folder, num_hidden_layers=depth, num_attention_heads=2, num_frames=4)
    return folder


def save_languagebind(folder: Path, tensors: dict[str, Tensor], activation: str = "gelu") -> Path:
    """`pytorch_model.bin` of both towers, with the index buffer that transformers 4 stored."""
    content = {f"vision_model.{name}": tensor for name, tensor in tensors.items()}
    content["vision_model.embeddings.position_ids"] = torch.arange(5)[None]
    content |= layouts.random_tensors(
        {"text_model.encoder.layers.0.layer_norm1.weight": (4,), "text_projection.weight": (3, 4)}
    )
    content["visual_projection.weight"] = torch.zeros(3, LANGUAGEBIND.dim)
    content["logit_scale"] = torch.tensor(4.6)
    torch.save(content, folder / "pytorch_model.bin")
    layers = {"num_hidden_layers": LANGUAGEBIND.depth, "num_attention_heads": 2}
    vision = layers | {"hidden_act": activation, "layer_norm_eps": 1e-5}
    write_config(folder, vision_config=vision, model_type="LanguageBindVideo")
    return folder


def save_bare(folder: Path, tensors: dict[str, Tensor], **config: object) -> Path:
    """The tensors alone, as safetensors."""
    save_file(tensors, folder / "model.safetensors")
    write_config(folder, **config)
    return folder


def write_config(folder: Path, **config: object) -> None:
    (folder / "config.json").write_text(json.dumps(config))


def random_clip(frames: int, size: int) -> Array:
    """One normalised clip (frames, 3, size, size)."""
    return np.random.default_rng(0).normal(size=(frames, 3, size, size))


def in_float64(tensors: dict[str, Tensor]) -> dict[str, Array]:
    return {name: tensor.double().numpy() for name, tensor in tensors.items()}


@torch.no_grad()
def encoded(encoder: VideoEncoder, clip: Array) -> Tensor:
    """The grid (slots, rows, columns, dim) of one normalised clip."""
    return encoder.eval().encode(torch.from_numpy(clip).float()[None])[0]


def layout_of(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def gradient_of(tensor: Tensor | nn.Module) -> Tensor:
    """The gradient of a parameter, which there is."""
    assert isinstance(tensor, Tensor)
    assert tensor.grad is not None
    return tensor.grad
