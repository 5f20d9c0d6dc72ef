"""Long videos for benchmarks, cheaply: ten seconds encoded once, their packets written again."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

FPS = 30
LOOP_S = 10  # so frame i shows what frame i modulo 300 shows


def write_loop(path: Path, *, side: tuple[int, int] = (854, 480)) -> Path:
    """Ten seconds of H.264 with B-frames in which no two pictures are alike."""
    width, height = side
    grain = np.random.default_rng(0).integers(0, 60, (height, width, 1), dtype=np.uint8)
    across = np.linspace(0, 2 * np.pi, width, dtype=np.float32)
    options = {"preset": "veryfast", "g": "60", "bf": "3"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(FPS * LOOP_S):
            turn = 2 * np.pi * index / (FPS * LOOP_S)
            waves = [90 + 80 * np.sin(across * k + turn * (3 * k + 1)) for k in (1, 2, 3)]
            colours = np.stack(waves, axis=-1).astype(np.uint8)[None]
            picture = np.roll(grain, 3 * index, axis=1) + colours
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def repeat(loop: Path, path: Path, seconds: int) -> Path:
    """The loop over and over, up to `seconds` (a multiple of its length), without encoding."""
    with av.open(str(loop)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        for turn in range(seconds // LOOP_S):
            for one in packets:
                shift = turn * round(LOOP_S / one.time_base)
                packet = av.Packet(bytes(one))
                packet.pts, packet.dts = (one.pts or 0) + shift, (one.dts or 0) + shift
                packet.time_base, packet.duration = one.time_base, one.duration
                packet.is_keyframe, packet.stream = one.is_keyframe, stream
                target.mux(packet)
    return path
