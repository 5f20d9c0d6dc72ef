"""Tiny transformers models saved as the published ones are: full, under the keys of version 4."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    PreTrainedModel,
    SiglipConfig,
    SiglipModel,
    SiglipVisionModel,
    VideoMAEConfig,
    VideoMAEForPreTraining,
    VideoMAEForVideoClassification,
    VideoMAEModel,
    VJEPA2Config,
    VJEPA2ForVideoClassification,
    VJEPA2Model,
)

from apollo_core.encoders.encoder import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD

FRAMES = 4
SIDE = 16
WEIGHTS = "model.safetensors"
TOWER: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
PATCHED: dict[str, Any] = TOWER | {"image_size": SIDE, "patch_size": 8, "initializer_range": 0.2}
TEXT = TOWER | {"num_hidden_layers": 1, "intermediate_size": 32, "vocab_size": 9}


def siglip() -> SiglipModel:
    """Both towers, the pooling head, scale and bias of the logits."""
    vision = PATCHED | {"intermediate_size": 32}
    return SiglipModel(SiglipConfig(text_config=TEXT, vision_config=vision))


def clip(**vision: Any) -> CLIPModel:
    """Both towers, their projections, the scale of the logits."""
    whole = PATCHED | {"intermediate_size": 32} | vision
    return CLIPModel(CLIPConfig(text_config=TEXT, vision_config=whole, projection_dim=8))


def dinov2() -> Dinov2Model:
    """With its mask token."""
    return Dinov2Model(Dinov2Config(**PATCHED, mlp_ratio=2))


def dinov2_registers() -> Dinov2WithRegistersModel:
    """With three registers."""
    config = Dinov2WithRegistersConfig(**PATCHED, mlp_ratio=2, num_register_tokens=3)
    return Dinov2WithRegistersModel(config)


def _videomae(**options: Any) -> VideoMAEConfig:
    decoder = {"decoder_hidden_size": 8, "decoder_num_attention_heads": 2}
    decoder |= {"decoder_num_hidden_layers": 1, "decoder_intermediate_size": 8}
    return VideoMAEConfig(**PATCHED, **decoder, intermediate_size=32, num_frames=FRAMES, **options)


def videomae() -> VideoMAEForPreTraining:
    """Encoder and decoder."""
    return VideoMAEForPreTraining(_videomae(use_mean_pooling=False))


def videomae_finetuned() -> VideoMAEForVideoClassification:
    """Encoder without a final norm, norm of the mean, classifier."""
    return VideoMAEForVideoClassification(_videomae(use_mean_pooling=True))


def _vjepa2() -> VJEPA2Config:
    predictor = {"pred_hidden_size": 12, "pred_num_attention_heads": 2, "pred_num_mask_tokens": 1}
    sizes = {"crop_size": SIDE, "patch_size": 8, "mlp_ratio": 2.0, "initializer_range": 0.2}
    config: dict[str, Any] = TOWER | sizes | predictor
    return VJEPA2Config(**config, pred_num_hidden_layers=1, num_pooler_layers=1)


def vjepa2() -> VJEPA2Model:
    """Encoder and predictor."""
    return VJEPA2Model(_vjepa2())


def vjepa2_finetuned() -> VJEPA2ForVideoClassification:
    """Encoder, predictor, pooler, classifier."""
    return VJEPA2ForVideoClassification(_vjepa2())


@dataclass(frozen=True)
class Tower:
    """One published layout, and how its features are got from transformers alone.

    Attributes:
        family: of the adapter that loads it.
        make: the whole model as published, from the current random state.
        bare: class of its vision tower.
        keys: some of the published keys.
        first: a tensor of the first block, under its published key.
        features: what the adapter should give, from (images, 3, 16, 16) or, of a video encoder,
            (clips, frames, 3, 16, 16): normalised pixels to (.., patches, 16).
    """

    family: str
    make: Callable[[], PreTrainedModel]
    bare: type[PreTrainedModel]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    keys: tuple[str, ...]
    first: str
    features: Callable[[Any, Tensor], Tensor]


def _last(model: Any, pixels: Tensor) -> Tensor:
    return model(pixels).last_hidden_state


def _penultimate(model: Any, pixels: Tensor) -> Tensor:
    return model(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]


def _without_three_registers(model: Any, pixels: Tensor) -> Tensor:
    return _last(model, pixels)[:, 4:]


def _normed(model: Any, pixels: Tensor) -> Tensor:
    features = _last(model, pixels)
    spread = features.var(dim=-1, correction=0, keepdim=True) + 1e-12
    return (features - features.mean(dim=-1, keepdim=True)) / spread.sqrt()


def _without_predictor(model: Any, pixels: Tensor) -> Tensor:
    return model(pixels, skip_predictor=True).last_hidden_state


_CLIP_KEYS = (
    "vision_model.embeddings.class_embedding",
    "vision_model.pre_layrnorm.weight",
    "vision_model.encoder.layers.0.self_attn.q_proj.weight",
    "text_model.final_layer_norm.weight",
    "visual_projection.weight",
    "logit_scale",
)
_DINO_KEYS = ("embeddings.mask_token", "encoder.layer.0.attention.output.dense.weight")
_DINO_FIRST = "encoder.layer.0.attention.attention.query.weight"
_MAE_FIRST = "videomae.encoder.layer.0.attention.attention.q_bias"
_CLIP_FIRST = "vision_model.encoder.layers.0.layer_norm1.weight"

TOWERS: dict[str, Tower] = {
    "siglip": Tower(
        "siglip",
        siglip,
        SiglipVisionModel,
        HALF,
        HALF,
        ("vision_model.head.probe", "text_model.head.weight", "logit_bias"),
        _CLIP_FIRST,
        _last,
    ),
    "clip": Tower(
        "clip", clip, CLIPVisionModel, CLIP_MEAN, CLIP_STD, _CLIP_KEYS, _CLIP_FIRST, _penultimate
    ),
    "clip, plain GELU": Tower(
        "clip",
        lambda: clip(hidden_act="gelu"),
        CLIPVisionModel,
        CLIP_MEAN,
        CLIP_STD,
        _CLIP_KEYS,
        _CLIP_FIRST,
        _penultimate,
    ),
    "dinov2": Tower(
        "dinov2",
        dinov2,
        Dinov2Model,
        IMAGENET_MEAN,
        IMAGENET_STD,
        _DINO_KEYS,
        _DINO_FIRST,
        lambda model, pixels: _last(model, pixels)[:, 1:],
    ),
    "dinov2 with registers": Tower(
        "dinov2",
        dinov2_registers,
        Dinov2WithRegistersModel,
        IMAGENET_MEAN,
        IMAGENET_STD,
        (*_DINO_KEYS, "embeddings.register_tokens"),
        _DINO_FIRST,
        _without_three_registers,
    ),
    "videomae": Tower(
        "videomae",
        videomae,
        VideoMAEModel,
        IMAGENET_MEAN,
        IMAGENET_STD,
        (
            "videomae.encoder.layer.0.attention.attention.v_bias",
            "videomae.layernorm.weight",
            "decoder.decoder_layers.0.attention.attention.q_bias",
            "encoder_to_decoder.weight",
            "mask_token",
        ),
        _MAE_FIRST,
        _last,
    ),
    "videomae, fine-tuned": Tower(
        "videomae",
        videomae_finetuned,
        VideoMAEModel,
        IMAGENET_MEAN,
        IMAGENET_STD,
        ("fc_norm.weight", "classifier.weight"),
        _MAE_FIRST,
        _normed,
    ),
    "vjepa2": Tower(
        "vjepa2",
        vjepa2,
        VJEPA2Model,
        IMAGENET_MEAN,
        IMAGENET_STD,
        ("encoder.layer.0.attention.query.weight", "predictor.embeddings.mask_tokens"),
        "encoder.layer.0.attention.query.weight",
        _without_predictor,
    ),
    "vjepa2, fine-tuned": Tower(
        "vjepa2",
        vjepa2_finetuned,
        VJEPA2Model,
        IMAGENET_MEAN,
        IMAGENET_STD,
        ("vjepa2.encoder.layer.0.attention.query.weight", "pooler.query_tokens"),
        "vjepa2.encoder.layer.0.attention.query.weight",
        _without_predictor,
    ),
}


def publish(tower: Tower, folder: Path) -> PreTrainedModel:
    """Save a model of this layout, every tensor random, and return its bare vision tower."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tower.make()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    for name in ("vision_model", "videomae", "vjepa2"):
        model = getattr(model, name, model)
    assert isinstance(model, tower.bare)
    return model.eval()


def weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a saved model."""
    return load_file(folder / WEIGHTS)


def rewrite(folder: Path, tensors: dict[str, Tensor]) -> None:
    """Put other tensors in the place of a saved model's."""
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def change_config(folder: Path, **fields: Any) -> None:
    """Set fields of a saved model's config."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
