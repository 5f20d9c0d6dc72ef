"""What each decoder is fed badly: right frames or one clear error, and the next file is read."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from apollo_core.design import FpsSampling, UniformSampling
from apollo_core.errors import DecodeFailed, StageFailed
from apollo_core.media.decoding import Decoder
from apollo_core.media.video_file import NO_VIDEO_STREAM
from tests.apollo_core.media.numbered_videos import numbers, write

STEADY_MS = [40 * i for i in range(60)]
X264 = {"crf": "1", "g": "12"}


def test_what_is_no_video_is_refused_in_words(video_decoder, tmp_path, audio_only):
    (tmp_path / "random.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "empty.mp4").touch()
    Image.new("RGB", (40, 30)).save(tmp_path / "still.mp4", format="PNG")
    reasons = {
        "random.mp4": "is not a video",
        "text.mp4": "is not a video",
        "empty.mp4": "is empty",
        "still.mp4": "still image",
        audio_only.name: "no video stream",
    }
    for name, reason in reasons.items():
        with pytest.raises(DecodeFailed, match=reason):
            video_decoder.timestamps(tmp_path / name)


def test_a_song_with_a_cover_is_no_video(video_decoder, tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000, layout="mono")
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = cover.disposition.attached_pic
        silence = np.zeros((1, 16000), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, 0
        picture = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
        for packet in [*cover.encode(picture), *cover.encode(), *sound.encode(frame)]:
            container.mux(packet)
        container.mux(sound.encode())
    with pytest.raises(DecodeFailed) as caught:
        video_decoder.timestamps(path)
    assert caught.value.reason == NO_VIDEO_STREAM


def test_a_playlist_that_calls_itself_a_video_opens_nothing_else(video_decoder, tmp_path):
    write(tmp_path / "real.ts", STEADY_MS[:10], options=X264)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXTINF:1,", "http://127.0.0.1:9/a.ts"]
    (tmp_path / "list.mp4").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    with pytest.raises(DecodeFailed, match="is not a video"):
        video_decoder.timestamps(tmp_path / "list.mp4")


def test_a_wrong_extension_does_not_matter(video_decoder, tmp_path):
    path = write(tmp_path / "film.mkv", STEADY_MS, options=X264).rename(tmp_path / "film.mp4")
    assert numbers(video_decoder.read(path, [0, 30, 59], size=64)) == [0, 30, 59]


def test_a_name_may_look_like_a_url(video_decoder, tmp_path):
    path = write(tmp_path / "a.mp4", STEADY_MS[:5], options=X264).rename(
        tmp_path / "http:%41 é?.mp4"
    )
    assert numbers(video_decoder.read(path, [4], size=64)) == [4]


def test_one_frame_is_a_video(video_decoder, tmp_path):
    path = write(tmp_path / "one.mp4", [0], options=X264)
    for sampling in (
        UniformSampling(mode="uniform", frames=4, frames_per_clip=4),
        FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3),
    ):
        read = video_decoder.read_clips(path, sampling, size=64)
        assert numbers(read.stacked()[0]) == [0, 0, 0, 0]


def test_frames_without_any_duration_do_no_harm(video_decoder, tmp_path):
    """0 frames per second: the header gives every frame the length 0."""
    path = write(tmp_path / "still.mp4", STEADY_MS[:12], options=X264 | {"bf": "0"})
    content = bytearray(path.read_bytes())
    lengths = content.index(b"stts") + 8
    for entry in range(int.from_bytes(content[lengths : lengths + 4], "big")):
        at = lengths + 8 + 8 * entry
        content[at : at + 4] = bytes(4)
    path.write_bytes(content)
    failed, frames = attempt(video_decoder, path, [0, 5])
    assert failed or set(numbers(frames)) <= set(range(12))


def attempt(decoder: Decoder, path: Path, asked: list[int]) -> tuple[str, np.ndarray]:
    """Why not, or the frames."""
    try:
        return "", decoder.read(path, asked, size=64)
    except DecodeFailed as error:
        return error.reason, np.zeros((0, 64, 64, 3))


def three_hours(path: Path, short: Path) -> Path:
    """`short`, which lasts a minute, 180 times over."""
    with av.open(str(short)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        kept = [one for one in source.demux(video=0) if one.dts is not None]
        for turn in range(180):
            for one in kept:
                packet = av.Packet(bytes(one))
                shift = turn * round(60 / one.time_base)
                packet.pts, packet.dts = (one.pts or 0) + shift, (one.dts or 0) + shift
                packet.time_base, packet.is_keyframe = one.time_base, one.is_keyframe
                packet.stream = stream
                target.mux(packet)
    return path


def test_three_hours_are_sampled_from_end_to_end(video_decoder, tmp_path):
    short = write(tmp_path / "short.mp4", range(0, 60_000, 1000), options=X264)
    path = three_hours(tmp_path / "long.mp4", short)
    sampling = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)
    read = video_decoder.read_clips(path, sampling, size=64)
    assert read.duration == pytest.approx(10_800, abs=2)
    wanted = [int(time + 1e-3) % 60 for clip in read.clips for time in clip.times]
    assert numbers(read.stacked().reshape(8, 64, 64, 3)) == wanted


def damaged(path: Path, number: int) -> Path:
    """Noise over the packet of frame `number`, as a bad disk leaves it."""
    with av.open(str(path)) as container:
        (packet,) = (
            packet
            for packet in container.demux(video=0)
            if packet.pts is not None and round(packet.pts * packet.time_base * 25) == number
        )
        place, length = packet.pos or 0, packet.size
    content = bytearray(path.read_bytes())
    start = place + min(24, length // 2)
    content[start : place + length] = np.random.default_rng(0).bytes(place + length - start)
    path.write_bytes(content)
    return path


def noisy(path: Path) -> Path:
    """A film of noise in groups of twelve frames, each of which is large."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"g": "12", "bf": "0", "sc_threshold": "0"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(60):
            picture = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_pyav_tells_damage_in_the_middle_and_reads_what_is_whole(tmp_path):
    """Other decoders conceal it: they hand out grey or smeared pictures without a word."""
    path = noisy(tmp_path / "film.mp4")
    with Decoder(decoder="pyav") as decoder:
        before = decoder.read(path, [5, 23, 36, 50], size=64)
        damaged(path, 24)  # a key frame, which all to the next one refer to
        assert (decoder.read(path, [5, 23, 36, 50], size=64) == before).all()
        for asked in ([24], [5, 30, 50]):
            with pytest.raises(
                DecodeFailed,
                match=r"is damaged: the frame at (0.960|1.200) s is decoded with errors",
            ):
                decoder.read(path, asked, size=64)


def test_damage_neither_hangs_nor_ends_the_caller(video_decoder, tmp_path):
    path = damaged(noisy(tmp_path / "film.mp4"), 24)
    child = video_decoder.child_pid
    failed, frames = attempt(video_decoder, path, [5, 24, 50])
    assert "damaged" in failed or len(frames) == 3
    assert failed or video_decoder.decoder != "pyav"
    whole = write(tmp_path / "whole.mp4", STEADY_MS[:4], options=X264)
    assert numbers(video_decoder.read(whole, [3], size=64)) == [3]
    assert child in (None, video_decoder.child_pid)


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_anywhere_give_frames_or_an_error(video_decoder, tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = write(tmp_path / "film.mp4", STEADY_MS, options=X264 | {"bf": "2"})
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    places = rng.integers(0, len(content), 40)
    content[places] ^= rng.integers(1, 255, 40, dtype=np.uint8)
    path.write_bytes(content.tobytes())
    failed, frames = attempt(video_decoder, path, [0, 30, 59])
    assert failed or len(frames) == 3


def test_pictures_without_times_are_refused(video_decoder, tmp_path):
    path = write(tmp_path / "raw.h264", STEADY_MS, options=X264)
    with pytest.raises(DecodeFailed, match="remux it"):
        video_decoder.timestamps(path)


@pytest.mark.slow
def test_five_hundred_decodes_leave_the_memory_where_it_was(video_decoder, tmp_path):
    """Of the caller and of the child; after a warm-up in which libraries and allocators settle."""
    path = write(tmp_path / "film.mp4", STEADY_MS[:24], options=X264)
    sampling = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)

    def decode(times: int) -> float:
        for _ in range(times):
            video_decoder.read_clips(path, sampling, size=64)
        child = psutil.Process(video_decoder.child_pid)
        return psutil.Process().memory_info().rss + child.memory_info().rss

    settled = decode(60)
    assert decode(500) < 1.05 * settled


@pytest.mark.skipif(importlib.util.find_spec("torchcodec") is not None, reason="it is installed")
def test_a_decoder_that_is_not_installed_says_what_brings_it(tmp_path):
    path = write(tmp_path / "film.mp4", STEADY_MS[:4], options=X264)
    with (
        Decoder(decoder="torchcodec") as decoder,
        pytest.raises(StageFailed, match=r"pip install 'apollo-sweeps\[torchcodec\]'"),
    ):
        decoder.timestamps(path)
