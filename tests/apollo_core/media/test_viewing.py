"""Videos are read ahead of the model, each once, whatever becomes of them."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from apollo_core.design import FpsSampling
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import Item
from apollo_core.media.reader import MediaReader
from apollo_core.media.viewing import viewings

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=2)
VIDEOS = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")


class Watched(Decoder):
    """A decoder that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, bool]] = []

    def read_clips(self, path, sampling, *, size, center_only=False):
        self.asked.append((Path(path).name, center_only))
        return super().read_clips(path, sampling, size=size, center_only=center_only)


@pytest.fixture
def reader(tmp_path, nasa):
    for name in VIDEOS:
        shutil.copy(nasa, tmp_path / name)
    with Watched() as decoder:
        yield MediaReader(decoder, tmp_path, SAMPLING, "timestamps", 32)


def items(*videos: str) -> list[Item]:
    return [Item(f"{n}", video, "?", ("x", "y"), 0, "c") for n, video in enumerate(videos)]


def test_every_video_is_read_once_for_all_its_questions_and_regimes(reader):
    asked = items("c.mp4", "a.mp4", "c.mp4", "b.mp4", "a.mp4")
    found = [*viewings(asked, ["video", "center_frame"], [reader], ahead=1)]
    assert [(one.video, [item.id for item in one.items]) for one in found] == [
        ("a.mp4", ["1", "4"]),
        ("b.mp4", ["3"]),
        ("c.mp4", ["0", "2"]),
    ]
    assert all(list(one.shown) == ["video", "center_frame"] for one in found)
    assert reader.decoder.asked == [(v, still) for v in VIDEOS[:3] for still in (False, True)]


def test_the_next_video_is_read_while_the_model_works_on_this_one_and_no_further(reader):
    with closing(viewings(items(*VIDEOS), ["video"], [reader], ahead=1)) as coming:
        next(coming)
        until = time.monotonic() + 10
        while len(reader.decoder.asked) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.05)
        assert [name for name, _ in reader.decoder.asked] == ["a.mp4", "b.mp4"]


def test_nothing_is_read_ahead_where_that_is_asked(reader):
    with closing(viewings(items(*VIDEOS), ["video"], [reader], ahead=0)) as coming:
        next(coming)
        time.sleep(0.1)
        assert [name for name, _ in reader.decoder.asked] == ["a.mp4"]
        assert next(coming).video == "b.mp4"


def test_reading_stops_when_the_stage_does(reader):
    coming = viewings(items(*VIDEOS), ["video"], [reader], ahead=1)
    next(coming)
    coming.close()
    assert len(reader.decoder.asked) <= 2
    assert not [t for t in threading.enumerate() if t.name.startswith("reading")]


def test_a_video_that_cannot_be_read_says_why_and_the_next_ones_come(reader):
    found = [*viewings(items("a.mp4", "gone.mp4", "b.mp4"), ["video"], [reader], ahead=1)]
    assert [one.video for one in found] == ["a.mp4", "b.mp4", "gone.mp4"]
    assert [one.failed is None for one in found] == [True, True, False]
    assert found[2].failed is not None
    assert found[2].failed.reason == "does not exist"
    assert not found[2].shown


def test_several_readers_give_the_same_videos_in_the_same_order(reader):
    with Decoder() as second:
        both = [reader, MediaReader(second, reader.root, SAMPLING, "timestamps", 32)]
        found = [*viewings(items(*VIDEOS), ["video"], both, ahead=2)]
    assert [one.video for one in found] == list(VIDEOS)
    first = found[0].shown["video"].frames
    assert all((one.shown["video"].frames == first).all() for one in found)
