"""What the project knows by name, and what of it is built.

A name that is known but not built plans ("not yet") and is refused by a run; an unknown name is an
error. Sizes are those of the published models, from the configs in `published/`.
"""

from __future__ import annotations

from dataclasses import dataclass

from apollo_core.geometry import LlmGeometry, VisionGeometry
from apollo_core.shipped_configs import llm_geometry, vision_geometry


@dataclass(frozen=True)
class EncoderEntry:
    """One vision encoder: the class that builds it, where its weights are, how large it is.

    Attributes:
        family: key of the adapter that builds it.
        source: hub id of the published weights; a path where they were never on the hub.
        geometry: its published size.
        built: whether the adapter exists.
    """

    family: str
    source: str
    geometry: VisionGeometry
    built: bool = False


def _encoder(name: str, family: str, source: str, *, built: bool) -> EncoderEntry:
    return EncoderEntry(family, source, vision_geometry(name, family=family), built)


ENCODERS: dict[str, EncoderEntry] = {
    name: _encoder(name, family, source, built=built)
    for name, family, source, built in (
        ("siglip-so400m", "siglip", "google/siglip-so400m-patch14-384", True),
        ("siglip2-so400m", "siglip", "google/siglip2-so400m-patch14-384", True),
        ("videomae-large", "videomae", "MCG-NJU/videomae-large", True),
        ("dinov2-large", "dinov2", "facebook/dinov2-large", True),
        ("clip-large", "clip", "openai/clip-vit-large-patch14-336", True),
        ("languagebind-image", "languagebind_image", "LanguageBind/LanguageBind_Image", True),
        (
            "languagebind-video",
            "languagebind_video",
            "LanguageBind/LanguageBind_Video_V1.5_FT",
            True,
        ),
        ("internvideo2-1b", "internvideo2", "OpenGVLab/InternVideo2-Stage2_1B-224p-f4", True),
        ("vjepa-large", "vjepa", "$APOLLO_WEIGHTS/vjepa/vitl16", True),
        ("vjepa-huge", "vjepa", "$APOLLO_WEIGHTS/vjepa/vith16-384", True),
        ("vjepa2-large", "vjepa2", "facebook/vjepa2-vitl-fpc64-256", True),
    )
}

# Families that an entry of `models` may name for weights of one's own; True where built.
ENCODER_FAMILIES: dict[str, bool] = {
    family: any(entry.built for entry in ENCODERS.values() if entry.family == family)
    for family in sorted({entry.family for entry in ENCODERS.values()})
}

RESAMPLERS: dict[str, bool] = {
    "perceiver": True,
    "mlp_avg": True,
    "conv_avg": True,
    "attention_pool": True,
    "qformer": True,
}

INTEGRATIONS: dict[str, bool] = {
    "plain": True,
    "separators": True,
    "timestamps": True,
    "timestamps-separators": True,
    "seconds": True,
}

JOININGS: dict[str, bool] = {"unified": True, "split": True}


LLMS: dict[str, LlmGeometry] = {
    name: llm_geometry(name)
    for name in (
        "Qwen/Qwen2-0.5B-Instruct",
        "Qwen/Qwen2-1.5B-Instruct",
        "Qwen/Qwen1.5-4B-Chat",
        "Qwen/Qwen2-7B-Instruct",
        "Qwen/Qwen2.5-1.5B-Instruct",
        "Qwen/Qwen2.5-3B-Instruct",
        "Qwen/Qwen2.5-7B-Instruct",
    )
}
