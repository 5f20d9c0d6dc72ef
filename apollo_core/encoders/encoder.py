"""The one interface of every vision encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PretrainedConfig

from apollo_core import pixels
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
    """

    spec: InputSpec
    dim: int

    def _adopt(self, config: PretrainedConfig, *, mean: Channels, std: Channels) -> None:
        """Take sizes from the config of a transformers vision model; `_side` is its grid's."""
        size, patch = side(config.image_size), side(config.patch_size)
        self.dim = config.hidden_size
        self.spec = InputSpec(size, mean, std)
        self._side = size // patch

    def forward(
        self, clips: Float[Tensor, "clips frames 3 height width"]
    ) -> Float[Tensor, "clips slots rows columns dim"]:
        """Frames in [0, 1] to a grid of features; resizing and normalising included."""
        sized = pixels.resize(clips, self.spec.size)
        return self.encode(pixels.normalise(sized, mean=self.spec.mean, std=self.spec.std))

    @abstractmethod
    def encode(
        self, clips: Float[Tensor, "clips frames 3 size size"]
    ) -> Float[Tensor, "clips slots rows columns dim"]:
        """Normalised frames of the encoder's own size to a grid of features."""
