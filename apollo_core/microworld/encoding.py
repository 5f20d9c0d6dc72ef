"""Pixels to files: H.264 in MP4, and PNG. PyAV stays in this module."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

Picture = UInt8[np.ndarray, "height width 3"]
Reel = UInt8[np.ndarray, "frames height width 3"]

# The same frames must give the same bytes. Several threads cut slices by their number; and x264's
# lookahead, at this size, made other bytes in about one run of ten (measured), so it is off. A key
# frame each second, because readers seek. `ultrafast` encodes 17,000 of these frames a second,
# `veryfast` 10,000, for files of two thirds the size.
_X264 = {"preset": "ultrafast", "tune": "zerolatency", "crf": "16", "threads": "1"}


def write_video(path: Path, frames: Reel, fps: int) -> None:
    """Write `frames` as H.264 yuv420p in MP4 at `fps`."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options={**_X264, "g": str(fps)})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())


def write_image(path: Path, pixels: Picture) -> None:
    """Write `pixels` as PNG."""
    import av

    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width = pixels.shape[:2]
    codec.pix_fmt = "rgb24"
    codec.time_base = Fraction(1)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    path.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode())))
