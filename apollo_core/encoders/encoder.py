"""The one interface of every vision encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from transformers import PretrainedConfig

from apollo_core.encoders import pixels
from apollo_core.errors import BadInput

Channels = tuple[float, float, float]


@dataclass(frozen=True)
class InputSpec:
    """What an encoder takes: side in pixels, and the normalisation that it was trained with."""

    size: int
    mean: Channels
    std: Channels


HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def side(pixels: int | list[int] | tuple[int, int]) -> int:
    """A square's side from a transformers config, which may write it as a pair."""
    if isinstance(pixels, int):
        return pixels
    height, width = pixels
    if height != width:
        raise BadInput(f"an encoder's input must be square, its config says {height} x {width}")
    return height


class VideoEncoder(nn.Module, ABC):
    """Encodes clips; each clip on its own.

    Attributes:
        spec: its input.
        dim: channels of its output.
        per_frame: whether it is an image encoder, which sees each frame on its own.
    """

    per_frame: ClassVar[bool] = False
    spec: InputSpec
    dim: int

    def _adopt(
        self, config: PretrainedConfig, *, mean: Channels, std: Channels, size: int | None = None
    ) -> None:
        """Take sizes from the config of a transformers vision model; `_side` is its grid's.

        Args:
            config: it.
            mean, std: what its input is normalised with.
            size: side of the input in pixels, where it isn't the config's.
        """
        taken = size or side(config.image_size)
        self.dim = config.hidden_size
        self.spec = InputSpec(taken, mean, std)
        self._side = taken // side(config.patch_size)

    def forward(
        self,
        clips: Float[Tensor, "clips frames 3 height width"],
        *,
        still: Bool[Tensor, " clips"] | None = None,
    ) -> Float[Tensor, "clips slots rows columns dim"]:
        """Frames in [0, 1] to a grid of features; resizing and normalising included.

        Args:
            clips: frames of any size.
            still: which clips are one picture repeated. An image encoder encodes it once; a video
                encoder sees the clip as any other.
        """
        return self.encode(self.prepare(clips))

    def prepare(
        self, clips: Float[Tensor, "clips frames 3 height width"]
    ) -> Float[Tensor, "clips frames 3 size size"]:
        """Resize and normalise to what the encoder was trained with."""
        sized = pixels.resize(clips, self.spec.size)
        return pixels.normalise(sized, mean=self.spec.mean, std=self.spec.std)

    @abstractmethod
    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots rows columns dim"]:
        """Normalised frames of the encoder's own size to a grid of features."""


class FrameEncoder(VideoEncoder):
    """An image encoder: encodes clips frame by frame, one temporal slot for each frame."""

    per_frame = True

    def forward(
        self,
        clips: Float[Tensor, "clips frames 3 height width"],
        *,
        still: Bool[Tensor, " clips"] | None = None,
    ) -> Float[Tensor, "clips frames rows columns dim"]:
        """As every encoder; of a still clip the first frame stands for all."""
        if still is None or not still.any():
            return super().forward(clips)
        count, frames = clips.shape[:2]
        first = torch.arange(frames, device=clips.device) == 0
        distinct = first | ~still[:, None]
        features = super().forward(clips[distinct][:, None])[:, 0]
        # A frame that was left out comes after its clip's first, so the count of distinct frames
        # up to it points at that one.
        places = distinct.flatten().cumsum(0) - 1
        return rearrange(features[places], "(b t) h w d -> b t h w d", b=count)

    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips frames rows columns dim"]:
        """All frames as one batch of images."""
        features = self.encode_images(rearrange(clips, "b t c h w -> (b t) c h w"))
        return rearrange(features, "(b t) (h w) d -> b t h w d", b=clips.shape[0], h=self._side)

    @abstractmethod
    def encode_images(
        self, images: Float[Tensor, "images 3 size size"]
    ) -> Float[Tensor, "images patches dim"]:
        """Normalised images of the encoder's own size to a feature for each patch."""
