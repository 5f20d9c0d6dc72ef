"""What the project knows by name, and what of it is built.

A name that is known but not built plans ("not yet") and is refused by a run; an unknown name is an
error. Sizes are those of the published models (their config files on the hub).
"""

from __future__ import annotations

from dataclasses import dataclass

from apollo_core.geometry import LlmGeometry, VisionGeometry


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


ENCODERS: dict[str, EncoderEntry] = {
    "siglip-so400m": EncoderEntry(
        "siglip",
        "google/siglip-so400m-patch14-384",
        VisionGeometry(dim=1152, depth=27, heads=16, mlp=4304, size=384, patch=14),
        built=True,
    ),
    "siglip2-so400m": EncoderEntry(
        "siglip",
        "google/siglip2-so400m-patch14-384",
        VisionGeometry(dim=1152, depth=27, heads=16, mlp=4304, size=384, patch=14),
        built=True,
    ),
    "videomae-large": EncoderEntry(
        "videomae",
        "MCG-NJU/videomae-large",
        VisionGeometry(
            dim=1024, depth=24, heads=16, mlp=4096, size=224, patch=16, frames=16, tubelet=2
        ),
        built=True,
    ),
    "dinov2-large": EncoderEntry(
        "dinov2",
        "facebook/dinov2-large",
        VisionGeometry(dim=1024, depth=24, heads=16, mlp=4096, size=378, patch=14),
    ),
    "clip-large": EncoderEntry(
        "clip",
        "openai/clip-vit-large-patch14-336",
        VisionGeometry(dim=1024, depth=24, heads=16, mlp=4096, size=336, patch=14),
    ),
    "languagebind-image": EncoderEntry(
        "clip",
        "LanguageBind/LanguageBind_Image",
        VisionGeometry(dim=1024, depth=24, heads=16, mlp=4096, size=224, patch=14),
    ),
    "languagebind-video": EncoderEntry(
        "languagebind_video",
        "LanguageBind/LanguageBind_Video_V1.5_FT",
        VisionGeometry(dim=1024, depth=24, heads=16, mlp=4096, size=224, patch=14, frames=8),
    ),
    "internvideo2-1b": EncoderEntry(
        "internvideo2",
        "OpenGVLab/InternVideo2-Stage2_1B-224p-f4",
        VisionGeometry(dim=1408, depth=39, heads=16, mlp=6144, size=224, patch=14, frames=4),
    ),
    "vjepa-large": EncoderEntry(
        "vjepa",
        "$APOLLO_WEIGHTS/vjepa/vitl16",
        VisionGeometry(
            dim=1024, depth=24, heads=16, mlp=4096, size=224, patch=16, frames=16, tubelet=2
        ),
    ),
    "vjepa-huge": EncoderEntry(
        "vjepa",
        "$APOLLO_WEIGHTS/vjepa/vith16-384",
        VisionGeometry(
            dim=1280, depth=32, heads=16, mlp=5120, size=384, patch=16, frames=16, tubelet=2
        ),
    ),
    "vjepa2-large": EncoderEntry(
        "vjepa2",
        "facebook/vjepa2-vitl-fpc64-256",
        VisionGeometry(
            dim=1024, depth=24, heads=16, mlp=4096, size=256, patch=16, frames=64, tubelet=2
        ),
    ),
}

# Families that an entry of `models` may name for weights of one's own; True where built.
ENCODER_FAMILIES: dict[str, bool] = {
    family: any(entry.built for entry in ENCODERS.values() if entry.family == family)
    for family in sorted({entry.family for entry in ENCODERS.values()})
}

RESAMPLERS: dict[str, bool] = {
    "perceiver": True,
    "mlp_avg": True,
    "conv_avg": False,
    "attention_pool": False,
    "qformer": False,
}

INTEGRATIONS: dict[str, bool] = {
    "plain": True,
    "separators": True,
    "timestamps": True,
    "timestamps-separators": True,
    "seconds": True,
}

JOININGS: dict[str, bool] = {"unified": True, "split": False}


LLMS: dict[str, LlmGeometry] = {
    "Qwen/Qwen2-0.5B-Instruct": LlmGeometry(896, 24, 14, 2, 4864, 151936),
    "Qwen/Qwen2-1.5B-Instruct": LlmGeometry(1536, 28, 12, 2, 8960, 151936),
    "Qwen/Qwen1.5-4B-Chat": LlmGeometry(2560, 40, 20, 20, 6912, 151936, tied=False),
    "Qwen/Qwen2-7B-Instruct": LlmGeometry(3584, 28, 28, 4, 18944, 152064, tied=False),
    "Qwen/Qwen2.5-1.5B-Instruct": LlmGeometry(1536, 28, 12, 2, 8960, 151936),
    "Qwen/Qwen2.5-3B-Instruct": LlmGeometry(2048, 36, 16, 2, 11008, 151936),
    "Qwen/Qwen2.5-7B-Instruct": LlmGeometry(3584, 28, 28, 4, 18944, 152064, tied=False),
}
