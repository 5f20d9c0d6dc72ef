"""Pixels to files: H.264 in MP4, and PNG. PyAV stays in this module."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

# One thread, because slices cut by thread count change the bytes. A key frame each second, because
# readers seek.
_X264 = {"preset": "veryfast", "crf": "16", "threads": "1"}


def write_video(path: Path, frames: Pixels, fps: int) -> None:
    """Write `frames`, (n, height, width, 3), as H.264 yuv420p in MP4 at `fps`."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=fps, options={**_X264, "g": str(fps)})
        video.height, video.width = frames.shape[1:3]
        video.pix_fmt = "yuv420p"
        for pixels in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())


def write_image(path: Path, pixels: Pixels) -> None:
    """Write `pixels`, (height, width, 3), as PNG."""
    import av

    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width = pixels.shape[:2]
    codec.pix_fmt = "rgb24"
    codec.time_base = 1
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    path.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(frame), *codec.encode())))
