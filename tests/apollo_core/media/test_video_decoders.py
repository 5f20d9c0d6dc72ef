"""Every decoder behind the one protocol: the right frames of every kind of file."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from apollo_core.errors import DecodeFailed
from apollo_core.media.decoding import Decoder
from tests.apollo_core.media.numbered_videos import numbers, write

VFR_MS = [0, 40, 60, 75, 400, 440, 1500, 1510, 1530, 1800, 1840, 2990, 3000, 3500, 3540, 3900]
STEADY_MS = [40 * i for i in range(60)]
X264 = {"crf": "1", "g": "12"}
KINDS: dict[str, tuple[str, list[int], dict[str, str]]] = {
    "steady": ("a.mp4", STEADY_MS, X264 | {"bf": "0"}),
    "b-frames": ("a.mp4", STEADY_MS, X264 | {"bf": "3", "b-pyramid": "strict"}),
    "open gop": ("a.mkv", STEADY_MS, X264 | {"bf": "3", "x264-params": "open-gop=1"}),
    "open gop, mp4": ("a.mp4", STEADY_MS, X264 | {"bf": "3", "x264-params": "open-gop=1"}),
    "one key frame": ("a.mp4", STEADY_MS, {"crf": "1", "g": "999", "bf": "2"}),
    "key frames only": ("a.mp4", STEADY_MS, {"crf": "1", "g": "1"}),
    "variable rate": ("a.mp4", VFR_MS, X264 | {"bf": "2"}),
    "variable rate, mkv": ("a.mkv", VFR_MS, X264 | {"bf": "2"}),
    "starts late": ("a.mkv", [5000 + ms for ms in STEADY_MS], X264),
    "transport stream": ("a.ts", STEADY_MS, X264 | {"bf": "2"}),
    "vp9": ("a.webm", STEADY_MS, {"codec": "libvpx-vp9", "g": "12", "lossless": "1"}),
    "vp8": ("a.webm", STEADY_MS, {"codec": "libvpx", "b": "4M", "auto-alt-ref": "1"}),
    "10 bit": ("a.mp4", STEADY_MS, {"codec": "libx265", "pix_fmt": "yuv420p10le", "crf": "1"}),
    "avi": ("a.avi", STEADY_MS, {"codec": "ffv1"}),
}
# What a decoder would read wrongly it refuses.
REFUSED = {("decord", "transport stream"), ("torchcodec", "transport stream")}


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_the_one_at_its_time(video_decoder, tmp_path, kind):
    name, starts_ms, options = KINDS[kind]
    path = write(tmp_path / name, starts_ms, options=options)
    if (video_decoder.decoder, kind) in REFUSED:
        with pytest.raises(DecodeFailed, match=r"decoder: pyav"):
            video_decoder.read(path, [3, 4, 5, 14], size=64)
        return
    starts, duration = video_decoder.timestamps(path)
    expected = (np.array(starts_ms) - starts_ms[0]) / 1000
    assert len(starts) == len(expected)
    half = np.diff(expected, append=duration) / 2
    assert (np.abs(starts - expected) <= np.minimum(half, 0.0011)).all()
    assert expected[-1] < duration < expected[-1] + 0.6
    for asked in ([0], [len(starts) - 1], [3, 4, 5, 14], list(range(0, len(starts), 7))):
        asked = [index for index in asked if index < len(starts)]
        assert numbers(video_decoder.read(path, asked, size=64)) == asked


def test_what_an_edit_list_cuts_away_is_not_shown(video_decoder, tmp_path):
    path = write(tmp_path / "cut.mp4", STEADY_MS, options=X264 | {"bf": "2"})
    with av.open(str(path)) as container:
        second = round(1 / (container.streams.video[0].time_base or 1))
    content = bytearray(path.read_bytes())
    media_time = content.index(b"elst") + 16  # of a version 0 box with one entry
    began = int.from_bytes(content[media_time : media_time + 4], "big")
    content[media_time : media_time + 4] = (began + second).to_bytes(4, "big")
    path.write_bytes(content)
    if video_decoder.decoder != "pyav":
        with pytest.raises(DecodeFailed, match=r"decoder: pyav"):
            video_decoder.read(path, [0, 1, 11, 20, 34], size=64)
        return
    starts, _ = video_decoder.timestamps(path)
    assert starts == pytest.approx(np.arange(35) * 0.04, abs=1e-3)
    assert numbers(video_decoder.read(path, [0, 1, 11, 20, 34], size=64)) == [25, 26, 36, 45, 59]


CORNERS = {0: (0, 0), 90: (0, -1), 180: (-1, -1), 270: (-1, 0)}  # where the bright one comes to lie


@pytest.mark.parametrize("degrees", CORNERS)
def test_all_turn_a_picture_as_its_file_asks(video_decoder, tmp_path, degrees):
    path = tmp_path / "turned.mp4"
    picture = np.zeros((48, 96, 3), np.uint8)
    picture[:24, :48] = 220
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    turn_in_header(path, degrees)
    (frame,) = video_decoder.read(path, [5], size=48)
    upright = frame[12:36] if degrees in (0, 180) else frame[:, 12:36]
    rows, columns = (part // 2 for part in upright.shape[:2])
    corners = upright[:: rows + rows // 2, :: columns + columns // 2].mean(axis=2)
    assert corners.shape == (2, 2)
    assert np.unravel_index(corners.argmax(), (2, 2)) == tuple(
        place % 2 for place in CORNERS[degrees]
    )
    assert np.sort(corners.ravel())[-2] < 30


def turn_in_header(path: Path, degrees: int) -> None:
    """Ask players to turn the picture clockwise; PyAV writes no display matrix."""
    cosine, sine = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 44  # of a version 0 box
    one = 1 << 16
    turned = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    content[matrix : matrix + 36] = struct.pack(">9i", *turned)
    path.write_bytes(content)


@pytest.mark.parametrize("size", [48, 100, 224])
def test_decord_and_pyav_agree_to_the_byte(nasa, rotated, size):
    with Decoder(decoder="pyav") as one, Decoder(decoder="decord") as other:
        for path, asked in ((nasa, [0, 1, 100, 239, 240, 250, 389]), (rotated, [0, 7])):
            ours, theirs = (each.read(path, asked, size=size) for each in (one, other))
            assert (ours == theirs).all()


def test_hdr_is_read_without_tone_mapping_by_all_alike(video_decoder, tmp_path):
    """PQ in 10 bits: levels are taken as they are, so bright scenes come out grey in all."""
    colours = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:log-level=none"
    path = tmp_path / "hdr.mp4"
    ramp = np.linspace(64, 940, 96).astype("<u2")[None].repeat(48, 0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=8, options={"x265-params": colours})
        stream.width, stream.height, stream.pix_fmt = 96, 48, "yuv420p10le"
        for _ in range(4):
            frame = av.VideoFrame(96, 48, "yuv420p10le")
            frame.planes[0].update(padded(ramp, frame.planes[0].line_size))
            for plane in frame.planes[1:]:
                grey = np.full((24, 48), 512, "<u2")
                plane.update(padded(grey, plane.line_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (frame,) = video_decoder.read(path, [2], size=96)
    middle = frame[48].astype(int)
    assert middle[:, 0] == pytest.approx(np.linspace(0, 255, 96), abs=5)
    assert np.ptp(middle, axis=1).max() <= 3


def padded(plane: np.ndarray, line_bytes: int) -> bytes:
    """Rows as FFmpeg keeps them."""
    row = plane.view(np.uint8).reshape(len(plane), -1)
    return np.pad(row, ((0, 0), (0, line_bytes - row.shape[1]))).tobytes()
