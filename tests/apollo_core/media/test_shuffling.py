"""Shuffled frames lose their order and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest

from apollo_core.design import FpsSampling
from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import Item
from apollo_core.media.reader import MediaReader, Shown
from apollo_core.media.shuffling import order_stream, shuffled
from apollo_core.media.viewing import viewings
from apollo_core.stages.identity import Regime

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, nasa):
    root = tmp_path_factory.mktemp("media")
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(nasa, root / name)
    with Decoder() as decoder:
        yield MediaReader(decoder, root, SAMPLING, "timestamps", 32)


def shown_by(reader: MediaReader, *regimes: Regime, seed: int = 0) -> list[dict[Regime, Shown]]:
    asked = [Item(video, video, "?", ("x", "y"), 0, "c") for video in ("a.mp4", "b.mp4")]
    return [dict(one.shown) for one in viewings(asked, regimes, [reader], ahead=0, seed=seed)]


def frames(shown: Shown) -> list[bytes]:
    return [frame.tobytes() for clip in shown.frames for frame in clip]


def test_the_same_frames_stand_in_another_order_under_the_same_text(reader):
    (found, _) = shown_by(reader, "video", "shuffled")
    video, other = found["video"], found["shuffled"]
    assert frames(other) != frames(video)
    assert sorted(frames(other)) == sorted(frames(video))
    assert replace(other, frames=video.frames) == replace(video, known=())
    places = [frames(video).index(frame) // 4 for frame in frames(other)[:4]]
    assert len(set(places)) > 1  # across clips, not within each


def test_the_order_follows_from_seed_and_video_alone(reader):
    first, second = shown_by(reader, "video", "shuffled")
    alone, _ = shown_by(reader, "shuffled")
    assert frames(alone["shuffled"]) == frames(first["shuffled"])
    assert frames(second["video"]) == frames(first["video"])
    assert frames(second["shuffled"]) != frames(first["shuffled"])
    again, _ = shown_by(reader, "shuffled", seed=1)
    assert frames(again["shuffled"]) != frames(first["shuffled"])


def test_every_order_is_as_likely_as_any_other():
    still = np.arange(3, dtype=np.uint8).reshape(1, 3, 1, 1, 1)
    shown = Shown(still, ("",), 1.0, (1,), (False,))
    rng = order_stream(0, "v")
    drawn = [tuple(shuffled(shown, rng).frames.ravel().tolist()) for _ in range(600)]
    counts = [drawn.count(order) for order in set(drawn)]
    assert len(counts) == 6
    assert min(counts) > 54  # of 100 expected; five standard deviations are 46
