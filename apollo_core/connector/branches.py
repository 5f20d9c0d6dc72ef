"""Which encoders see which clips: the two ways of joining images and videos.

`unified`: all encoders see every clip, through one projection and resampler. `split`: stills
(images, single frames) are seen by the image encoders alone, through a projection and resampler of
their own; videos are seen by all encoders. The study compares the two in its table 8.
"""

from __future__ import annotations

from collections.abc import Sequence

from apollo_core.design import Joining
from apollo_core.errors import BadInput


def encoders_of_stills(joining: Joining, per_frame: Sequence[bool]) -> tuple[int, ...] | None:
    """Places of the encoders that stills have a branch of; None where they have none of their own.

    Where all encoders are image encoders, `split` still means two branches: the same encoders, but
    stills and videos each have their own weights behind them.

    Args:
        joining: how.
        per_frame: for each encoder whether it is an image encoder.

    Raises:
        BadInput: `split` without an image encoder.
    """
    if joining == "unified":
        return None
    found = tuple(place for place, image in enumerate(per_frame) if image)
    if not found:
        raise BadInput(
            "joining: split shows images to the image encoders alone, and encoders names none; "
            "add one (siglip-so400m, dinov2-large, ...) or set joining: unified"
        )
    return found
