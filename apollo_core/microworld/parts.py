"""The microworld's models: tiny, of the very classes of their full-size namesakes.

A sweep file names them as `micro:NAME`. Each is pretrained on the microworld as a stage of the
graph, seeded apart from the replicates, which share it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from apollo_core.design import FpsSampling
from apollo_core.geometry import LlmGeometry, VisionGeometry

# Raised whenever a part's size, initialisation or pretraining below changes, or its vocabulary.
PARTS_VERSION = 6

# Room for the microworld's words and the chat marks; a multiple of 32.
VOCABULARY_SIZE = 160

# How an encoder sees a video in pretraining (of a picture it sees one frame): part of the recipe,
# hence of PARTS_VERSION.
PRETRAINING_SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=2)

Modality = Literal["text", "image", "video"]


@dataclass(frozen=True)
class Pretraining:
    """How long and how fast a part learns from the microworld."""

    samples: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class MicroEncoder:
    """A tiny vision encoder, the family (adapter) that builds it, and its pretraining.

    Attributes:
        learns_from: modality of the captions that it learns from.
    """

    family: str
    geometry: VisionGeometry
    learns_from: Modality
    pretraining: Pretraining


@dataclass(frozen=True)
class MicroLlm:
    """A tiny language model and its pretraining."""

    geometry: LlmGeometry
    pretraining: Pretraining
    learns_from: Modality = "text"


# What is small is told by image encoders, what moves by video encoders, and neither by the other:
# their captions tell of nothing else.
def _image_encoder(family: str, *, samples: int = 80000) -> MicroEncoder:
    return MicroEncoder(
        family,
        VisionGeometry(dim=64, depth=2, heads=4, mlp=128, size=48, patch=8, family=family),
        learns_from="image",
        pretraining=Pretraining(samples=samples, batch_size=64, lr=2e-3),
    )


def _video_encoder(family: str, *, tubelet: int, samples: int, patch: int = 12) -> MicroEncoder:
    return MicroEncoder(
        family,
        VisionGeometry(
            dim=48,
            depth=2,
            heads=4,
            mlp=96,
            size=48,
            patch=patch,
            frames=4,
            tubelet=tubelet,
            family=family,
        ),
        learns_from="video",
        pretraining=Pretraining(samples=samples, batch_size=32, lr=2e-3),
    )


# Each name says whose architecture it is; its weights are of its own pretraining in the microworld.
ENCODERS: dict[str, MicroEncoder] = {
    "siglip": _image_encoder("siglip"),
    "siglip2": _image_encoder("siglip"),
    "clip": _image_encoder("clip"),
    "languagebind-image": _image_encoder("languagebind_image"),
    "dinov2": _image_encoder("dinov2", samples=32000),
    "videomae": _video_encoder("videomae", tubelet=2, samples=51200),
    "vjepa": _video_encoder("vjepa", tubelet=2, samples=51200),
    "vjepa2": _video_encoder("vjepa2", tubelet=2, samples=51200),
    "languagebind-video": _video_encoder("languagebind_video", tubelet=1, samples=51200),
    "internvideo2": _video_encoder("internvideo2", tubelet=2, samples=51200, patch=8),
}

# 30 thousand to 487 thousand parameters, 25 to 468 thousand of them in blocks: 17 and 19 times.
_READING = Pretraining(samples=96000, batch_size=32, lr=1.5e-3)

LLMS: dict[str, MicroLlm] = {
    "qwen2-xs": MicroLlm(LlmGeometry(32, 2, 2, 1, 96, VOCABULARY_SIZE), _READING),
    "qwen2-s": MicroLlm(LlmGeometry(48, 2, 3, 1, 144, VOCABULARY_SIZE), _READING),
    "qwen2-m": MicroLlm(LlmGeometry(64, 3, 4, 2, 192, VOCABULARY_SIZE), _READING),
    "qwen2-l": MicroLlm(LlmGeometry(112, 3, 4, 2, 352, VOCABULARY_SIZE), _READING),
}


def find(name: str, family: str) -> MicroEncoder | MicroLlm:
    """The part of this name: a language model for the family `causal-lm`, else an encoder."""
    return LLMS[name] if family == "causal-lm" else ENCODERS[name]
