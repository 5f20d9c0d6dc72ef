"""Several videos and images in one conversation, each in its own place in the text."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apollo_core.batch import collate
from apollo_core.design import FpsSampling, Integration
from apollo_core.media.manifest import read_manifest
from apollo_core.media.manifest_record import Medium
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.text.chat import TEXT, encode_training
from apollo_core.text.integration import FORMATS, VISUAL
from apollo_core.training.feeding import place_media

SAMPLING = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=3)
PER_CLIP = 2


@pytest.fixture
def root(tmp_path, numbered_video) -> Path:
    """Videos of two and of four seconds, a picture, and a manifest that shows all in one sample."""
    numbered_video("two.mp4", range(0, 2000, 100))
    numbered_video("four.mp4", range(0, 4000, 100))
    Image.new("RGB", (40, 40), (90, 90, 90)).save(tmp_path / "still.png")
    turns = [
        {"from": "system", "value": "answer"},
        {"from": "human", "value": "<video>\nwhich digit?"},
        {"from": "gpt", "value": "7"},
        {"from": "human", "value": "<image> to <video>\nwhich digit?"},
        {"from": "gpt", "value": "8"},
    ]
    record = {
        "id": "m", "videos": ["two.mp4", "four.mp4"], "image": "still.png", "conversations": turns
    }  # fmt: skip
    (tmp_path / "manifest.jsonl").write_text(json.dumps(record))
    return tmp_path


def reader(decoder, root: Path, integration: Integration = "timestamps") -> MediaReader:
    return MediaReader(decoder, root, SAMPLING, integration, 16)


def test_media_are_shown_in_the_order_of_the_text(decoder, root):
    (sample,) = read_manifest(root / "manifest.jsonl")
    shown = reader(decoder, root).show(sample.media)
    assert shown.counts == (1, 1, 2)
    assert shown.still == (False, True, False)
    assert [one is None for one in shown.sampled] == [False, True, False]
    assert shown.frames.shape == (4, 4, 16, 16, 3)
    assert np.ptp(shown.frames[1].astype(int)) <= 2
    assert shown.rate == pytest.approx(2, rel=0.1)


def test_each_video_is_written_in_its_own_place_with_its_own_times(decoder, root):
    (sample,) = read_manifest(root / "manifest.jsonl")
    shown = reader(decoder, root).show(sample.media)
    placed = place_media(sample.turns, shown.written)
    assert placed == [
        ("system", "answer"),
        ("user", f"clip from 00:00-00:02: {VISUAL}\nwhich digit?"),
        ("assistant", "7"),
        (
            "user",
            f"{VISUAL} to clip from 00:00-00:02: {VISUAL}\n"
            f"clip from 00:02-00:04: {VISUAL}\nwhich digit?",
        ),
        ("assistant", "8"),
    ]


@pytest.mark.parametrize("integration", FORMATS)
def test_places_and_features_agree_in_every_format(decoder, root, integration):
    (sample,) = read_manifest(root / "manifest.jsonl")
    shown = reader(decoder, root, integration).show(sample.media)
    encoded = encode_training(
        build_tokenizer(), place_media(sample.turns, shown.written), tokens_per_clip=PER_CLIP
    )
    batch = collate([encoded], [shown], [0], tokens_per_clip=PER_CLIP)
    rows = batch.source[batch.source >= 0].tolist()
    assert rows == list(range(4 * PER_CLIP))
    assert batch.medium.tolist() == [0, 1, 2, 2]
    assert batch.still.tolist() == [False, True, False, False]
    assert build_tokenizer().unk_token_id not in encoded.tokens[encoded.source == TEXT]


def test_one_medium_shown_alone_is_as_it_is_among_others(decoder, root):
    one = reader(decoder, root)
    media = [Medium("video", "four.mp4"), Medium("image", "still.png")]
    together = one.show(media)
    assert (together.frames[:2] == one.video("four.mp4").frames).all()
    assert (together.frames[2:] == one.image("still.png").frames).all()
