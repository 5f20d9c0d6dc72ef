"""Which family learns how: the registry of objectives."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import pick
from apollo_core.geometry import VisionGeometry
from apollo_core.pretraining.bind_to_text import BindToText
from apollo_core.pretraining.latent_prediction import LatentPrediction
from apollo_core.pretraining.masked_pixels import MaskedPixels
from apollo_core.pretraining.masked_video_text import MaskedVideoText
from apollo_core.pretraining.objective import Objective
from apollo_core.pretraining.self_distillation import SelfDistillation


class MakeObjective(Protocol):
    """What makes an encoder's objective."""

    def __call__(
        self, encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int
    ) -> Objective:
        """For clips of `frames` frames."""
        ...


# The seed of the text tower that LanguageBind's encoders share: of the recipe, not of a study.
_LANGUAGEBIND_TEXT = 0

OBJECTIVES: dict[str, MakeObjective] = {
    "siglip": partial(BindToText, loss="sigmoid"),
    "clip": partial(BindToText, loss="softmax"),
    "languagebind_image": partial(BindToText, loss="softmax", frozen=_LANGUAGEBIND_TEXT),
    "languagebind_video": partial(BindToText, loss="softmax", frozen=_LANGUAGEBIND_TEXT),
    "dinov2": SelfDistillation,
    "videomae": MaskedPixels,
    "vjepa": LatentPrediction,
    "vjepa2": LatentPrediction,
    "internvideo2": MaskedVideoText,
}


def objective_of(encoder: VideoEncoder, geometry: VisionGeometry, *, frames: int) -> Objective:
    """The objective of an encoder's family, around the encoder.

    Raises:
        BadInput: a family without one.
    """
    make = pick(OBJECTIVES, geometry.family, field="models: family")
    return make(encoder, geometry, frames=frames)
