from __future__ import annotations

import itertools
import os
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from apollo_core.design import FpsSampling, UniformSampling
from apollo_core.errors import DecodeFailed
from apollo_core.media.decoding import Decoder
from apollo_core.media.frame_cache import FrameCache
from apollo_core.media.letterbox import letterbox
from apollo_core.media.video_file import NO_VIDEO_STREAM
from tests.apollo_core.media.numbered_videos import EIGHT_PER_SECOND

VFR_MS = [0, 40, 60, 75, 400, 440, 1500, 1510, 1530, 1800, 1840, 2990, 3000, 3500, 3540, 3900]


SPREAD = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)


def edges(*, upright: bool) -> np.ndarray:
    """A black 128 x 64 picture (64 x 128 if `upright`), white at both ends of its long side."""
    picture = np.zeros((64, 128, 3), np.uint8)
    picture[:, :16] = picture[:, -16:] = 255
    return np.ascontiguousarray(picture.swapaxes(0, 1)) if upright else picture


def write_edges(path: Path, *, upright: bool) -> Path:
    """Eight frames of `edges`."""
    picture = edges(upright=upright)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=8, options={"crf": "1"})
        stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def assert_edges(frame: np.ndarray) -> None:
    """White at the far left and right, black between, grey above and below; all of it seen."""
    size = len(frame)
    rows = np.flatnonzero((frame != 128).any(axis=(1, 2)))
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    assert bottom - top == (size + 1) // 2
    assert top == (size - (bottom - top)) // 2
    picture = frame[top:bottom].astype(int)
    eighth = size // 8
    assert picture[:, : eighth - 1].min() > 215
    assert picture[:, 1 - eighth :].min() > 215
    assert picture[:, eighth + 2 : -eighth - 2].max() < 40


def number_of(frame: np.ndarray) -> int:
    """The index that a frame of a numbered video carries (colour conversion darkens by 0 to 2)."""
    return round((float(frame.mean()) - 19) / 3.5)


def test_timestamps_of_a_variable_frame_rate_file_are_exact(decoder, numbered_video):
    starts, duration = decoder.timestamps(numbered_video("vfr.mp4", VFR_MS))
    assert starts == pytest.approx(np.array(VFR_MS) / 1000, abs=1e-4)
    assert duration > 3.9


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
def test_frames_of_a_variable_frame_rate_file_are_the_ones_on_screen(decoder, numbered_video, name):
    sampling = UniformSampling(mode="uniform", frames=8, frames_per_clip=4)
    read = decoder.read_clips(numbered_video(name, VFR_MS), sampling, size=64)
    for clip, pixels in zip(read.clips, read.stacked(), strict=True):
        on_screen = [max(i for i, ms in enumerate(VFR_MS) if ms / 1000 <= t) for t in clip.times]
        assert [number_of(frame) for frame in pixels] == on_screen


def test_any_frame_is_read_in_any_order_with_repeats(decoder, numbered_video):
    path = numbered_video("cfr.mp4", EIGHT_PER_SECOND)
    wanted = [63, 0, 31, 31, 5]
    assert [number_of(frame) for frame in decoder.read(path, wanted, size=64)] == wanted


def test_a_video_that_starts_late_starts_at_zero(decoder, numbered_video):
    path = numbered_video("late.mkv", [5000 + ms for ms in EIGHT_PER_SECOND])
    starts, duration = decoder.timestamps(path)
    assert starts[:3] == pytest.approx([0, 0.125, 0.25], abs=1e-3)
    assert 7.875 < duration < 8.01


@pytest.mark.parametrize("size", [16, 24, 32, 47, 48, 50, 64, 96, 144, 224])
def test_every_width_is_read_without_row_padding(decoder, numbered_video, size):
    path = numbered_video("cfr.mp4", EIGHT_PER_SECOND[:20])
    frames = decoder.read(path, [0, 7, 19], size=size)
    assert frames.shape == (3, size, size, 3)
    assert frames.dtype == np.uint8
    assert frames.std(axis=(1, 2, 3)).max() < 1
    assert [number_of(frame) for frame in frames] == [0, 7, 19]


@pytest.mark.parametrize("size", [48, 64, 100])
def test_the_whole_picture_is_resized_and_padded_with_grey(decoder, nasa, size):
    (square,) = decoder.read(nasa, [100], size=size)
    with av.open(str(nasa)) as container:
        frame = next(itertools.islice(container.decode(video=0), 100, None))
        wanted = ImageOps.pad(
            frame.to_image(), (size, size), Image.Resampling.BICUBIC, color=(128, 128, 128)
        )
    difference = np.abs(square.astype(int) - np.asarray(wanted).astype(int))
    assert difference.mean() < 4
    assert (square[0] == 128).all()
    assert (square[-1] == 128).all()


@pytest.mark.parametrize("upright", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("size", [31, 48, 64])
def test_what_is_at_the_far_edges_of_a_video_is_seen(decoder, tmp_path, upright, size):
    path = write_edges(tmp_path / "edges.mp4", upright=upright)
    read = decoder.read(path, [3], size=size)
    centre = decoder.read_clips(path, SPREAD, size=size, center_only=True).pixels
    clip = decoder.read_clips(path, SPREAD, size=size).pixels
    for frame in (*read, *centre, *clip):
        assert_edges(frame.swapaxes(0, 1) if upright else frame)


@pytest.mark.parametrize("upright", [False, True], ids=["wide", "tall"])
@pytest.mark.parametrize("size", [31, 48, 64])
def test_what_is_at_the_far_edges_of_an_image_is_seen(decoder, tmp_path, upright, size):
    Image.fromarray(edges(upright=upright)).save(tmp_path / "edges.png")
    (frame,) = decoder.read_image(tmp_path / "edges.png", frames_per_clip=4, size=size).pixels
    assert_edges(frame.swapaxes(0, 1) if upright else frame)


def test_an_image_is_turned_upright_before_it_is_padded(decoder, tmp_path):
    turn = Image.Exif()
    turn[0x0112] = 6  # to be shown turned by a quarter
    Image.fromarray(edges(upright=False)).save(tmp_path / "turned.png", exif=turn)
    (frame,) = decoder.read_image(tmp_path / "turned.png", frames_per_clip=4, size=48).pixels
    assert_edges(frame.swapaxes(0, 1))


def test_square_images_are_only_resized(decoder, tmp_path):
    Image.effect_noise((50, 50), 60).convert("RGB").save(tmp_path / "noise.png")
    for size in (50, 31, 64):
        with Image.open(tmp_path / "noise.png") as image:
            wanted = np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC))
        (frame,) = decoder.read_image(tmp_path / "noise.png", frames_per_clip=4, size=size).pixels
        assert (frame == wanted).all()


@pytest.mark.parametrize("sides", [(16, 9), (9, 16), (4, 3), (1000, 1), (1, 1000), (7, 7)])
@pytest.mark.parametrize("size", [1, 31, 64, 224])
def test_a_picture_lies_whole_and_in_the_middle_of_its_frame(sides, size):
    place = letterbox(sides[0], sides[1], size)
    assert max(place.width, place.height) == size
    assert min(place.width, place.height) == max(1, round(size * min(sides) / max(sides)))
    after = (size - place.height - place.top, size - place.width - place.left)
    for before, behind in zip((place.top, place.left), after, strict=True):
        assert behind - before in (0, 1)


def test_a_file_turned_by_its_metadata_is_read_upright(decoder, rotated):
    (frame,) = decoder.read(rotated, [0], size=48)
    # Written with a bright left half and a note to turn it by a quarter, so that it is 48 x 96.
    assert (frame[:, :12] == 128).all()
    assert (frame[:, 36:] == 128).all()
    picture = frame[:, 12:36].astype(float)
    assert abs(picture[:20].mean() - picture[-20:].mean()) > 100
    assert abs(picture[:, :10].mean() - picture[:, -10:].mean()) < 10


def test_a_real_video_is_read_clip_by_clip(decoder, nasa):
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3)
    read = decoder.read_clips(nasa, sampling, size=64)
    assert read.stacked().shape == (3, 4, 64, 64, 3)
    assert read.duration == pytest.approx(390 * 1001 / 30000, abs=1e-3)
    assert read.rate == pytest.approx(2, rel=0.02)
    assert read.clips[-1].end == pytest.approx(read.duration)


def test_the_centre_frame_is_decoded_once_and_shown_in_every_place(decoder, numbered_video):
    sampling = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3)
    path = numbered_video("cfr.mp4", EIGHT_PER_SECOND)
    read = decoder.read_clips(path, sampling, size=64, center_only=True)
    assert read.pixels.shape == (1, 64, 64, 3)
    assert [number_of(frame) for frame in read.stacked()[0]] == [32] * 4
    assert read.rate == 0


def test_missing_and_unusable_files_say_what_is_wrong_with_them(decoder, tmp_path, nasa):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "random.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    (tmp_path / "text.mp4").write_text("not a video\n" * 100)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "half.mp4").write_bytes(nasa.read_bytes()[: nasa.stat().st_size // 2])
    Image.new("RGB", (40, 30)).save(tmp_path / "still.png")
    (tmp_path / "still.png").rename(tmp_path / "still.mp4")
    reasons = {
        "missing.mp4": "does not exist",
        "empty.mp4": "is empty",
        "random.mp4": "is not a video",
        "text.mp4": "is not a video",
        "folder.mp4": "is a folder",
        "half.mp4": "is truncated",
        "still.mp4": "still image",
    }
    for name, reason in reasons.items():
        with pytest.raises(DecodeFailed, match=reason) as caught:
            decoder.timestamps(tmp_path / name)
        assert caught.value.path == tmp_path / name


def test_a_truncated_file_that_ffmpeg_would_open_is_refused(decoder, truncated):
    with pytest.raises(DecodeFailed, match="is truncated: at least"):
        decoder.timestamps(truncated)


def test_a_truncated_matroska_file_is_refused(decoder, numbered_video):
    path = numbered_video("cut.mkv", EIGHT_PER_SECOND)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DecodeFailed, match="is truncated"):
        decoder.timestamps(path)


def test_sound_alone_is_told_apart_from_damage(decoder, audio_only):
    with pytest.raises(DecodeFailed) as caught:
        decoder.timestamps(audio_only)
    assert caught.value.reason == NO_VIDEO_STREAM


def test_a_frame_beyond_the_end_is_refused(decoder, numbered_video):
    path = numbered_video("short.mp4", EIGHT_PER_SECOND[:4])
    with pytest.raises(DecodeFailed, match="has 4 frames"):
        decoder.read(path, [0, 4], size=64)


def test_an_image_is_one_clip_of_a_repeated_square(decoder, tmp_path):
    image = Image.new("RGB", (90, 60), (10, 200, 30))
    image.save(tmp_path / "image.png")
    image.save(tmp_path / "image.jpg")
    for name in ("image.png", "image.jpg"):
        read = decoder.read_image(tmp_path / name, frames_per_clip=4, size=32)
        assert read.stacked().shape == (1, 4, 32, 32, 3)
        assert read.pixels[0, 16, 16] == pytest.approx([10, 200, 30], abs=3)
        assert read.duration == read.rate == 0


def test_an_image_that_is_none_says_so(decoder, tmp_path, nasa):
    Image.effect_noise((200, 200), 50).save(tmp_path / "cut.png")
    content = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    reasons = {
        tmp_path / "cut.png": "is damaged",
        tmp_path / "empty.png": "is empty",
        tmp_path / "missing.png": "does not exist",
        tmp_path / "pipe.png": "not a regular file",
        nasa: "is not an image",
    }
    for path, reason in reasons.items():
        with pytest.raises(DecodeFailed, match=reason):
            decoder.read_image(path, frames_per_clip=4, size=32)


def test_a_cached_video_is_decoded_once_and_again_when_the_file_changes(numbered_video):
    sampling = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)
    cache = FrameCache(10_000_000)
    path = numbered_video("cached.mp4", EIGHT_PER_SECOND)
    with Decoder(cache=cache) as decoder:
        first = decoder.read_clips(path, sampling, size=64)
        assert decoder.read_clips(path, sampling, size=64) is first
        assert decoder.read_clips(path, sampling, size=32) is not first
        assert decoder.read_clips(path, sampling, size=64, center_only=True) is not first
        numbered_video("cached.mp4", EIGHT_PER_SECOND[:30])
        assert decoder.read_clips(path, sampling, size=64) is not first
    assert cache.hits == 1


def test_frames_handed_out_cannot_be_written_to(numbered_video):
    sampling = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)
    with Decoder(cache=FrameCache(10_000_000)) as decoder:
        read = decoder.read_clips(numbered_video("a.mp4", EIGHT_PER_SECOND), sampling, size=64)
    with pytest.raises(ValueError, match="read-only"):
        read.pixels[0] = 0


def test_a_file_that_changes_is_opened_again(decoder, numbered_video):
    path = numbered_video("a.mp4", EIGHT_PER_SECOND[:20])
    assert [number_of(frame) for frame in decoder.read(path, [3, 19], size=64)] == [3, 19]
    assert [number_of(frame) for frame in decoder.read(path, [19, 3], size=64)] == [19, 3]
    numbered_video("a.mp4", EIGHT_PER_SECOND[:10])
    assert len(decoder.timestamps(path)[0]) == 10
    assert [number_of(frame) for frame in decoder.read(path, [9], size=64)] == [9]
    path.unlink()
    with pytest.raises(DecodeFailed, match="does not exist"):
        decoder.read(path, [9], size=64)
