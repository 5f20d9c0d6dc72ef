"""How a clip's visual tokens stand in the text: the study's four formats (table 2), and that of the
models which it released.

A format is text around marks that no tokenizer ever sees: three private-use characters stand for
"this clip's visual tokens here", `<vid_start>` and `<vid_end>` until `text.chat` turns them into
positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apollo_core.clip import Clip
from apollo_core.connector.memory import written_clips
from apollo_core.design import Integration, MemoryBank
from apollo_core.errors import BadData

VISUAL, START, END = "\ue000", "\ue001", "\ue002"
MARKS = VISUAL + START + END
# Not written here: stands inside text that looks like a special token (`apollo_core.text.chat`).
CUT = "\ue003"


_TOKEN = "<vid_token>"


@dataclass(frozen=True)
class Format:
    """A versioned template. A changed template is a new version, and so another stage key.

    Attributes:
        version: part of a stage's identity (`ModelIdentity.integration_version`).
        clip: one clip; may name {from_clock}, {to_clock} (MM:SS), {from_s}, {to_s} (seconds with
            one decimal).
        between: what stands between two clips.
        before: what stands before the first; may name {clips} (how many, in words, and of what
            length), {duration} (of the video, H:MM:SS).
        still: an image, or a single frame out of its time: never a timestamp, since it has none.
    """

    version: int
    clip: str
    between: str = ""
    before: str = ""
    still: str = _TOKEN


_MARKED = f"<vid_start>{_TOKEN}<vid_end>"

# `seconds` is what the released models' loader writes (`apollo/mm_utils.py`), but for three things:
# it gives the moments of a clip's first and last frame, here stand the clip's own
# ends, as in the study's formats; it adds microseconds to a duration that is not whole, here it is
# rounded to what [H:MM:SS] announces; it computes moments as index / average rate. It knows no
# merged clips: there each line counts as one, and no length is given, which they don't share.
FORMATS: dict[Integration, Format] = {
    "plain": Format(1, _TOKEN),
    "separators": Format(1, _MARKED, still=_MARKED),
    "timestamps": Format(1, "clip from {from_clock}-{to_clock}: <vid_token>", between="\n"),
    "timestamps-separators": Format(
        1, "clip from {from_clock}-{to_clock}: " + _MARKED, between="\n", still=_MARKED
    ),
    "seconds": Format(
        1,
        "{from_s:.1f}-{to_s:.1f} seconds: <vid_token>",
        between=",\n",
        before="You are provided the following series of {clips} from a {duration} [H:MM:SS] "
        "video.\n",
    ),
}


def write_video(
    clips: Sequence[Clip],
    integration: Integration,
    *,
    duration: float,
    memory: MemoryBank | None = None,
) -> str:
    """All clips of a video in order, with marks.

    Args:
        clips: as sampled, at least one.
        integration: the format.
        duration: of the video, seconds.
        memory: the clips that it merges stand together as one clip of several places.
    """
    form = FORMATS[integration]
    stretches = written_clips(clips, memory)
    merged = len(stretches) < len(clips)
    before = form.before.format(
        clips=in_words(len(stretches))
        + (" clips" if merged else f", {round(_length(clips[0]), 2):g} second clips"),
        duration=long_clock(duration),
    )
    written = (
        form.clip.format(
            from_clock=clock(one.start),
            to_clock=clock(one.end),
            from_s=_exact(one.start),
            to_s=_exact(one.end),
        ).replace(_TOKEN, _TOKEN * one.places)
        for one in stretches
    )
    return _marked(before + form.between.join(written))


def write_still(integration: Integration) -> str:
    """One image, or a single frame out of its time."""
    return _marked(FORMATS[integration].still)


def clock(seconds: float) -> str:
    """`MM:SS`, rounded down; minutes go on past 59 (`75:03`) as the format has no hours."""
    minutes, rest = divmod(int(_exact(seconds)), 60)
    return f"{minutes:02d}:{rest:02d}"


def long_clock(seconds: float) -> str:
    """`H:MM:SS`, rounded to the nearest second; hours go on past 23."""
    minutes, rest = divmod(round(_exact(seconds)), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _exact(seconds: float) -> float:
    """Without the noise of floats: a clip that begins at 1.9999999999999998 s begins at 2 s."""
    return round(seconds, 6)


_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def in_words(number: int) -> str:
    """A number below a million in British words: `one thousand, two hundred and thirty-four`."""
    if not 0 <= number < 10**6:
        raise ValueError(f"{number} has no words here: 0 to 999999 are written")
    if number < 20:
        return _UNITS[number]
    if number < 100:
        tens, rest = divmod(number, 10)
        return _TENS[tens] + (f"-{_UNITS[rest]}" if rest else "")
    size, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    head, rest = divmod(number, size)
    joint = " and " if rest < 100 else ", "
    return f"{in_words(head)} {name}" + (joint + in_words(rest) if rest else "")


def without_marks(text: str) -> str:
    """Return `text`; raise where it holds a private-use character that we use as a mark."""
    if any(mark in text for mark in (*MARKS, CUT)):
        raise BadData(
            "a conversation holds one of the private-use characters U+E000 to U+E003, which are "
            f"marks here; remove them from the manifest. Text: {text[:60]!r}"
        )
    return text


def _length(clip: Clip) -> float:
    """Seconds from the first slot's start to the last one's end, which a short video may lack."""
    if len(clip.times) < 2:
        return clip.end - clip.start
    return (clip.times[-1] - clip.times[0]) * len(clip.times) / (len(clip.times) - 1)


def _marked(text: str) -> str:
    for name, mark in ((_TOKEN, VISUAL), ("<vid_start>", START), ("<vid_end>", END)):
        text = text.replace(name, mark)
    return text
