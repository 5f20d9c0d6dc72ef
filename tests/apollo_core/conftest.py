"""Real media files, written by PyAV, for the tests of reading media."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from apollo_core.media.decoding import Decoder

MILLISECOND = Fraction(1, 1000)
WriteVideo = Callable[..., Path]


@pytest.fixture(scope="session")
def nasa() -> Path:
    """A real video: 390 frames at 29.97 per second, 480 x 270, with sound."""
    return Path(__file__).parent.parent / "data" / "nasa_13013.mp4"


@pytest.fixture(scope="session")
def decoder() -> Iterator[Decoder]:
    """One decoder for the whole run, as a warm worker has."""
    with Decoder() as shared:
        yield shared


def brightness(index: int) -> int:
    """How bright frame `index` (at most 66) of a numbered video is."""
    return 20 + round(3.5 * index)


@pytest.fixture
def numbered_video(tmp_path: Path) -> WriteVideo:
    """Write an H.264 video whose frame i starts at `starts_ms[i]` and is grey of brightness(i)."""

    def write(
        name: str,
        starts_ms: Sequence[int],
        *,
        side: tuple[int, int] = (64, 64),
        options: dict[str, str] | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "1", "g": "12"})
            stream.width, stream.height, stream.pix_fmt = *side, "yuv420p"
            stream.codec_context.time_base = MILLISECOND
            for index, start in enumerate(starts_ms):
                grey = np.full((side[1], side[0], 3), brightness(index), np.uint8)
                frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
                frame.pts, frame.time_base = start, MILLISECOND
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


@pytest.fixture
def rotated(tmp_path: Path) -> Path:
    """A 96 x 48 video, left half bright, whose header asks players to turn it by 90 degrees."""
    path = tmp_path / "rotated.mp4"
    picture = np.zeros((48, 96, 3), np.uint8)
    picture[:, :48] = 200
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    content = bytearray(path.read_bytes())
    # PyAV writes no display matrix; in a version 0 `tkhd` box it stands 44 bytes behind the name.
    matrix = content.index(b"tkhd") + 44
    quarter_turn = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 48 << 16, 0, 1 << 30)
    content[matrix : matrix + 36] = quarter_turn
    path.write_bytes(content)
    return path


@pytest.fixture
def audio_only(tmp_path: Path) -> Path:
    """An MP4 that holds one second of silence and no picture."""
    path = tmp_path / "audio_only.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 16000), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = 16000, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture
def truncated(tmp_path: Path, nasa: Path) -> Path:
    """The first half of a real video, its index at the front, so that a decoder would open it."""
    whole = tmp_path / "whole.mp4"
    with (
        av.open(str(nasa)) as source,
        av.open(str(whole), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    path = tmp_path / "truncated.mp4"
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
