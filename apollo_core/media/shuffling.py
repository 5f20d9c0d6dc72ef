"""The regime `shuffled`: a video's frames in a random order, and nothing else changed.

Every frame that the regime `video` shows is shown here as often, in clips of the same number and
length, under the same text with the same times; only which frame stands where is random, over the
whole video, across clips. What a model loses is the order of what happens, and what `video` scores
above `shuffled` is what it makes of that order. Times keep their places: were they moved with their
frames, a model could sort the frames by reading.

The order is drawn uniformly, so that a video of few frames may keep its own. It is a function of
(seed, video): all questions about a video see it in one order, so that its frames go through the
encoders once; all designs see the same, so that their difference is paired; replicates see others.
A clip encoder sees frames of different moments in one clip: its features are those of no other
regime and are neither looked up among the kept ones nor kept.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from apollo_core.media.reader import Shown
from apollo_core.streams import generator


def order_stream(seed: int, video: str) -> np.random.Generator:
    """The stream that the order of a video's frames is drawn from."""
    return generator(seed, f"order of frames of {video}")


def shuffled(shown: Shown, rng: np.random.Generator) -> Shown:
    """`shown`, whose frames are all at hand, with them in another order.

    Args:
        shown: one video, frames of shape (clips, frames, size, size, 3).
        rng: decides the order.
    """
    clips, frames = shown.frames.shape[:2]
    order = rng.permutation(clips * frames).reshape(clips, frames)
    flat = shown.frames.reshape(-1, *shown.frames.shape[2:])
    return replace(shown, frames=flat[order], known=())
