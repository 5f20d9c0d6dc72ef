"""Videos whose frames tell their number by their grey."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECOND = Fraction(1, 1000)
# Starts of frames, in milliseconds: eight seconds at eight frames a second.
EIGHT_PER_SECOND = [125 * i for i in range(64)]


def write(
    path: Path,
    starts_ms: Sequence[int],
    *,
    options: dict[str, str],
) -> Path:
    """A video whose frame i starts at `starts_ms[i]` and is of a grey that tells i.

    `options`: the encoder's, and `codec` and `pix_fmt`.
    """
    codec = options.get("codec", "libx264")
    with av.open(str(path), "w") as container:
        rest = {name: value for name, value in options.items() if name not in ("codec", "pix_fmt")}
        stream = container.add_stream(codec, rate=25, options=rest)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, options.get("pix_fmt", "yuv420p")
        stream.codec_context.time_base = MILLISECOND
        for index, start in enumerate(starts_ms):
            grey = np.full((64, 64, 3), 20 + round(3.5 * index), np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = start, MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(frames: np.ndarray) -> list[int]:
    """Which frames of such a video these are."""
    return [round((float(frame.mean()) - 19) / 3.5) for frame in frames]
