"""The memory bank: which clips of a long video share their places in the text.

A video of more than `long + recent` clips keeps `long + recent` places. The last `recent` clips
have one each; all earlier ones share the first `long`, and `clip_merging` decides which of them are
averaged. Which clips that will be depends on the model, so the text gives the earlier clips one
span of time together.

The idea is that of MovieChat (Song et al., 2024) and MA-LMM (He et al., 2024): merge the most
similar neighbours, so that what stays is bounded and what changes is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apollo_core.clip import Clip
from apollo_core.design import MemoryBank


@dataclass(frozen=True)
class Stretch:
    """A span of a video as the text speaks of it.

    Attributes:
        start, end: seconds.
        places: visual places, each as long as one clip's tokens.
    """

    start: float
    end: float
    places: int


def written_clips(clips: Sequence[Clip], memory: MemoryBank | None) -> tuple[Stretch, ...]:
    """What the text writes of a video's clips: each on its own, or the earlier ones in one stretch.

    Args:
        clips: in their order.
        memory: bound on the places; None where there is none.
    """
    if memory is None or len(clips) <= memory.long + memory.recent:
        return tuple(Stretch(clip.start, clip.end, 1) for clip in clips)
    earlier, recent = clips[: -memory.recent], clips[-memory.recent :]
    remembered = Stretch(earlier[0].start, earlier[-1].end, memory.long)
    return (remembered, *(Stretch(clip.start, clip.end, 1) for clip in recent))


def places(clips: int, memory: MemoryBank | None) -> int:
    """Visual places of a video of so many clips."""
    return clips if memory is None else min(clips, memory.long + memory.recent)
