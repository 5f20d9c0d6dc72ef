"""An encoder without its weights, as JSON: described where it is trained, built where it is loaded.

`apollo_core.encoders.families` builds encoders from published files. An export stands alone, so it
says what those files told: for encoders of transformers' classes their config, as it is after the
adapter's changes; for those built here their sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    PretrainedConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
    VideoMAEConfig,
    VideoMAEModel,
    VJEPA2Config,
    VJEPA2Model,
)
from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

from apollo_core.encoders.clip import Clip
from apollo_core.encoders.dinov2 import Dinov2
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.internvideo2 import InternVideo2
from apollo_core.encoders.languagebind import ACTIVATIONS
from apollo_core.encoders.languagebind_video import LanguageBindVideo
from apollo_core.encoders.siglip import Siglip
from apollo_core.encoders.videomae import VideoMae
from apollo_core.encoders.vjepa import Vjepa
from apollo_core.encoders.vjepa2 import Vjepa2
from apollo_core.errors import BadData, pick
from apollo_core.geometry import VisionGeometry

Blueprint = dict[str, Any]

# Of a config: where it was loaded from, and with which library.
_OF_THE_FILE = ("_name_or_path", "transformers_version", "architectures")


@dataclass(frozen=True)
class Kind:
    """One class of encoders: how to describe one, how to build one of that description."""

    encoder: type[VideoEncoder]
    describe: Callable[[Any], Blueprint]
    build: Callable[[Blueprint], VideoEncoder]


def describe(encoder: VideoEncoder) -> Blueprint:
    """What `build` needs. Raises `BadData` for a class that no export knows."""
    for name, kind in KINDS.items():
        if type(encoder) is kind.encoder:
            return {"kind": name, **kind.describe(encoder)}
    raise BadData(
        f"{type(encoder).__name__}: encoders of this class cannot be exported yet; known: "
        f"{', '.join(sorted(KINDS))}"
    )


def build(blueprint: Mapping[str, Any]) -> VideoEncoder:
    """An encoder of these sizes; its weights are whatever its class starts with."""
    told = dict(blueprint)
    return pick(KINDS, told.pop("kind"), field="config.json: encoders: kind").build(told)


def _config_of(encoder: Any) -> Blueprint:
    stored = cast(PretrainedConfig, encoder.model.config).to_dict()
    return {"config": {key: value for key, value in stored.items() if key not in _OF_THE_FILE}}


def _siglip(told: Blueprint) -> Siglip:
    return Siglip(SiglipVisionModel(SiglipVisionConfig(**told["config"])))


def _clip(told: Blueprint) -> Clip:
    return Clip(CLIPVisionModel(CLIPVisionConfig(**told["config"])))


def _dinov2(told: Blueprint) -> Dinov2:
    if told["config"]["model_type"] == Dinov2WithRegistersConfig.model_type:
        return Dinov2(Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**told["config"])))
    return Dinov2(Dinov2Model(Dinov2Config(**told["config"])))


def _videomae(told: Blueprint) -> VideoMae:
    return VideoMae(VideoMAEModel(VideoMAEConfig(**told["config"])))


def _vjepa2(told: Blueprint) -> Vjepa2:
    # The class builds a predictor; the encoder alone is kept.
    config = VJEPA2Config(**(told["config"] | {"pred_num_hidden_layers": 0}))
    return Vjepa2(VJEPA2Model(config))


def _sizes_of_blocks(encoder: Any) -> Blueprint:
    """Sizes of an encoder made of `apollo_core.encoders.blocks`."""
    first, patch = encoder.blocks[0], encoder.patch_embed.proj.kernel_size
    geometry = VisionGeometry(
        dim=encoder.dim,
        depth=len(encoder.blocks),
        heads=first.attn.heads,
        mlp=first.mlp.fc1.out_features,
        size=encoder.spec.size,
        patch=patch[1],
        tubelet=patch[0],
    )
    return {"geometry": asdict(geometry), "frames_per_clip": encoder.grid.slots * patch[0]}


def _vjepa(told: Blueprint) -> Vjepa:
    geometry = VisionGeometry(**told["geometry"])
    return Vjepa(geometry, frames_per_clip=told["frames_per_clip"])


def _internvideo2(told: Blueprint) -> InternVideo2:
    geometry = VisionGeometry(**told["geometry"])
    return InternVideo2(geometry, frames_per_clip=told["frames_per_clip"], layer_scale=1.0)


def _sizes_of_languagebind(encoder: LanguageBindVideo) -> Blueprint:
    layer = cast(Any, encoder.layers[0])
    geometry = VisionGeometry(
        dim=encoder.dim,
        depth=len(encoder.layers),
        heads=layer.self_attn.heads,
        mlp=layer.mlp.fc1.out_features,
        size=encoder.spec.size,
        patch=encoder.patch_embedding.kernel_size[0],
    )
    activation = layer.mlp.activation
    return {
        "geometry": asdict(geometry),
        "frames_per_clip": layer.temporal_embedding.shape[1],
        "activation": next(name for name, each in ACTIVATIONS.items() if each is activation),
        "eps": layer.layer_norm1.eps,
    }


def _languagebind_video(told: Blueprint) -> LanguageBindVideo:
    return LanguageBindVideo(
        VisionGeometry(**told["geometry"]),
        frames_per_clip=told["frames_per_clip"],
        activation=ACTIVATIONS[told["activation"]],
        eps=told["eps"],
    )


# LanguageBind's image encoder is a `Clip`.
KINDS: dict[str, Kind] = {
    "siglip": Kind(Siglip, _config_of, _siglip),
    "dinov2": Kind(Dinov2, _config_of, _dinov2),
    "clip": Kind(Clip, _config_of, _clip),
    "videomae": Kind(VideoMae, _config_of, _videomae),
    "vjepa2": Kind(Vjepa2, _config_of, _vjepa2),
    "vjepa": Kind(Vjepa, _sizes_of_blocks, _vjepa),
    "internvideo2": Kind(InternVideo2, _sizes_of_blocks, _internvideo2),
    "languagebind_video": Kind(LanguageBindVideo, _sizes_of_languagebind, _languagebind_video),
}


@torch.no_grad()
def restore_computed(model: torch.nn.Module) -> None:
    """Compute again what no checkpoint holds and no class of transformers restores.

    Loading puts empty memory in place of every buffer that is not stored. transformers' classes
    fill their own; VideoMAE's table is a buffer only here (`VideoMae`).
    """
    for encoder in (each for each in model.modules() if isinstance(each, VideoMae)):
        embeddings = encoder.model.embeddings
        table = get_sinusoid_encoding_table(embeddings.num_patches, encoder.dim)
        cast(torch.Tensor, embeddings.position_embeddings).copy_(table)
