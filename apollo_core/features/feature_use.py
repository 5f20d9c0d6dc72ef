"""What a stage may keep of its frozen encoders' features, and where: decided by the plan."""

from __future__ import annotations

from typing import Literal

from pydantic import NonNegativeInt

from apollo_core.frozen import Frozen

# Counts up whenever the same weights, sampling and media would give other features, or would be
# read or written in another way: what was kept before is then not found any more.
FEATURES_VERSION = 1

# Who uses the features of a key holds this file's lock, shared; `apollo gc` must get it alone.
IN_USE = "in-use"

# `video`: clips as sampled. `still`: an image, or a video's middle frame.
View = Literal["video", "still"]


class EncoderKeys(Frozen):
    """Where one encoder's features lie, by view; "" = they are not kept.

    Attributes:
        video, still: names of folders.
    """

    video: str = ""
    still: str = ""

    def of(self, view: View) -> str:
        """The folder of a view."""
        return self.video if view == "video" else self.still


class FeatureUse(Frozen):
    """What one stage reads and fills.

    Attributes:
        folder: of all features.
        encoders: by the encoder's place in the design.
        budget: bytes that the whole folder may take; whoever would exceed it stops keeping.
    """

    folder: str
    encoders: tuple[EncoderKeys, ...]
    budget: NonNegativeInt
