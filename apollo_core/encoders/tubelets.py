"""Clips and tubelets: a video encoder that joins frames takes only whole groups of them."""

from __future__ import annotations

from apollo_core.errors import BadInput


def whole_tubelets(frames: int, tubelet: int, *, encoder: str) -> int:
    """Temporal slots of a clip of `frames` frames, `tubelet` frames each.

    Raises:
        BadInput: a rest would be left; `encoder` is named.
    """
    if frames < 1 or frames % tubelet:
        raise BadInput(
            f"sampling.frames_per_clip: {frames} frames are not a whole number of {encoder}'s "
            f"tubelets of {tubelet} frames; choose a multiple of {tubelet}."
        )
    return frames // tubelet
