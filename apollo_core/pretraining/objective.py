"""What every way of pretraining a vision encoder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from apollo_core.encoders import pixels
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.encoders.positions import Grid
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.watched import Watched


class Objective(nn.Module, ABC):
    """An encoder with what its loss needs beside it: towers, decoders, teachers.

    All of it is one module, so that a stage's checkpoint holds all of it; of the result the encoder
    alone is kept. A batch goes through whole: contrast and assignment are over all of its media.

    Args:
        encoder: to be trained.
        geometry: its size.
        frames: of each clip that it learns from.
    """

    def __init__(self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.geometry = geometry
        self.grid = Grid(geometry.slots(frames), geometry.side, geometry.side)

    @abstractmethod
    def forward(self, watched: Watched) -> Float[Tensor, ""]:
        """The loss, a mean over the batch's media."""

    def prepared(self, watched: Watched) -> Float[Tensor, "clips frames 3 size size"]:
        """The clips as the encoder takes them."""
        return self.encoder.prepare(pixels.to_unit(watched.clips))
