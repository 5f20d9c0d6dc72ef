"""From a part's name and place to an encoder: the registry of families."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from apollo_core.encoders import (
    clip,
    dinov2,
    internvideo2,
    languagebind_image,
    languagebind_video,
    siglip,
    videomae,
    vjepa,
    vjepa2,
)
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import pick
from apollo_core.geometry import VisionGeometry
from apollo_core.microworld.parts import ENCODERS as MICRO_ENCODERS
from apollo_core.places import Place
from apollo_core.stages.identity import Part
from apollo_core.streams import torch_stream
from apollo_core.weights import load_modules


class Family(Protocol):
    """What the module of an encoder family offers."""

    def create(self, geometry: VisionGeometry, *, frames_per_clip: int) -> VideoEncoder:
        """An encoder with fresh weights."""
        ...

    def load(self, source: str, *, revision: str, frames_per_clip: int) -> VideoEncoder:
        """An encoder from a hub id, a folder, or (families built here) a file."""
        ...


FAMILIES: dict[str, Family] = {
    "siglip": siglip,
    "dinov2": dinov2,
    "clip": clip,
    "videomae": videomae,
    "vjepa": vjepa,
    "vjepa2": vjepa2,
    "languagebind_image": languagebind_image,
    "languagebind_video": languagebind_video,
    "internvideo2": internvideo2,
}


def build_encoder(
    part: Part, location: str, *, frames_per_clip: int, trained: Path | None
) -> VideoEncoder:
    """Build one encoder where its identity and location say.

    A microworld encoder starts from a stream of its fingerprint, so that all replicates share it;
    then `trained`, the file of weights of its pretraining stage, if it has had one, is loaded.

    Raises:
        BadInput: no such family, no such microworld part, or a clip length it cannot take.
    """
    family = pick(FAMILIES, part.family, field="models: family")
    place = Place.parse(location)
    if place.micro is None:
        return family.load(place.source, revision=place.revision, frames_per_clip=frames_per_clip)
    micro = pick(MICRO_ENCODERS, place.micro, field="models: source micro:")
    with torch_stream(0, f"initialise {part.fingerprint}"):
        encoder = family.create(micro.geometry, frames_per_clip=frames_per_clip)
    if trained is not None:
        load_modules({"encoder": encoder}, trained)
    return encoder
