"""How much a stage looks at: clips of a video, and what each share of its data shows."""

from __future__ import annotations

import math
from typing import NamedTuple

from apollo_core.design import Sampling
from apollo_core.stages.identity import TrainIdentity
from orchestrator.plan.plan import Plan, StageNode

# Assumed clips of a picture sample; each picture is encoded as one clip.
_PICTURES = {"text": 0, "image": 1, "multi_image": 3}


class Shown(NamedTuple):
    """A share of a stage's data.

    Attributes:
        share: of its samples, in per cent.
        clips: in a sample.
        still: whether each is one picture.
    """

    share: float
    clips: int
    still: bool


def clip_count(sampling: Sampling, seconds: float) -> int:
    """Clips of a video that is `seconds` long, which may be infinite."""
    if sampling.mode == "uniform":
        return sampling.frames // sampling.frames_per_clip
    length = sampling.frames_per_clip / sampling.fps
    return max(1, math.ceil(min(seconds / length, sampling.max_clips)))


def shares_of(
    plan: Plan, node: StageNode, identity: TrainIdentity, *, seconds: float
) -> list[Shown]:
    """Each share of a stage's data, its videos taken to be `seconds` long."""
    video = clip_count(identity.sampling, seconds)
    found = [
        (share.share, plan.modalities.get(node.locations[share.sets[0]], "video"))
        for share in identity.data
    ]
    return [
        Shown(share, _PICTURES.get(modality, video), modality in _PICTURES)
        for share, modality in found
    ]
