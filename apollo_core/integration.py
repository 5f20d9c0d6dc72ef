"""How a clip's visual tokens stand in the text: the four formats of the study's table 2.

A format is text around marks that no tokenizer ever sees: three private-use characters stand for
"this clip's visual tokens here", `<vid_start>` and `<vid_end>` until `apollo_core.chat` turns them
into positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from apollo_core.design import Integration, MemoryBank
from apollo_core.errors import BadData
from apollo_core.memory import written_clips
from apollo_core.sampling import Clip

VISUAL, START, END = "\ue000", "\ue001", "\ue002"
MARKS = VISUAL + START + END

# plain:                 <vid_token>
# separators:            <vid_start><vid_token><vid_end>
# timestamps:            clip from {MM:SS}-{MM:SS}: <vid_token>
# timestamps-separators: clip from {MM:SS}-{MM:SS}: <vid_start><vid_token><vid_end>


def write_video(
    clips: Sequence[Clip], integration: Integration, memory: MemoryBank | None = None
) -> str:
    """All clips of a video in order; one line each where a format writes words.

    With a memory bank, the clips that it merges stand together as one clip of several places.
    """
    stretches = written_clips(clips, memory)
    bodies = [_body(integration, one.places) for one in stretches]
    if not integration.startswith("timestamps"):
        return "".join(bodies)
    lines = (
        f"clip from {clock(one.start)}-{clock(one.end)}: {body}"
        for one, body in zip(stretches, bodies, strict=True)
    )
    return "\n".join(lines)


def write_still(integration: Integration) -> str:
    """One image, or a single frame out of its time: no timestamps, since it has none."""
    return _body(integration)


def clock(seconds: float) -> str:
    """`MM:SS`, rounded down; minutes go on past 59 (`75:03`) as the format has no hours."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"


def without_marks(text: str) -> str:
    """Return `text`; raise where it holds a private-use character that we use as a mark."""
    if any(mark in text for mark in MARKS):
        raise BadData(
            "a conversation holds one of the private-use characters U+E000 to U+E002, which mark "
            f"visual tokens here; remove them from the manifest. Text: {text[:60]!r}"
        )
    return text


def _body(integration: Integration, places: int = 1) -> str:
    visual = VISUAL * places
    return f"{START}{visual}{END}" if integration.endswith("separators") else visual
