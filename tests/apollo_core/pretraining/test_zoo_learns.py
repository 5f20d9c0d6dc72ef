"""Each encoder learns by its own objective: its loss falls, and a linear probe finds more in it
than in its twin with random weights. Far shorter than in a sweep: docs/zoo.md has the full length.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pretrained_parts import Media, fresh, grids, trained

from apollo_core.media.decoding import Decoder
from apollo_core.media.manifest import read_manifest
from apollo_core.media.reader import MediaReader
from apollo_core.microworld.parts import ENCODERS, PRETRAINING_SAMPLING
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.pretraining.probe_tasks import OF_PICTURES, OF_VIDEOS

WORLD = WorldSpec(
    train_videos=100, bench_videos=1, images=500, multi_images=0, texts=0, corpus=0, max_seconds=4
)
FIRST = 0.75


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    generate(WORLD, folder)
    return folder


@pytest.fixture(scope="module")
def pictures(root: Path) -> Media:
    return read(root, "image_captions", clips=1, frames=1)


@pytest.fixture(scope="module")
def films(root: Path) -> Media:
    return read(root, "captions", clips=2, frames=4)


def read(root: Path, manifest: str, *, clips: int, frames: int) -> Media:
    rows = list(read_manifest(root / f"{manifest}.jsonl", root))
    with Decoder() as decoder:
        reader = MediaReader(decoder, root, PRETRAINING_SAMPLING, "plain", 48)
        shown = np.stack([reader.show(row.media).frames[:clips, :frames] for row in rows])
    return Media.of(shown, [row.turns[-1][1] for row in rows])


@pytest.mark.parametrize("name", ENCODERS)
def test_the_loss_of_an_encoder_falls(name, pictures, films):
    media = pictures if ENCODERS[name].learns_from == "image" else films
    _, losses = trained(name, media, steps=24, batch=16, lr=3e-3)
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.parametrize(
    ("name", "task", "steps"),
    [
        ("clip", "colours", 60),
        ("languagebind-image", "colours", 60),
        ("vjepa", "colours", 40),
        ("internvideo2", "colours", 80),
    ],
)
def test_a_probe_finds_more_in_a_trained_encoder_than_in_its_twin(
    name, task, steps, pictures, films
):
    of_pictures = ENCODERS[name].learns_from == "image"
    media = pictures if of_pictures else films
    encoder, _ = trained(name, media, steps=steps, batch=24, lr=3e-3)
    at = round(FIRST * len(media.captions))
    asked = (OF_PICTURES if of_pictures else OF_VIDEOS)[task]

    def accuracy(features: np.ndarray) -> float:
        return asked.accuracy(
            features[:at], media.captions[:at], features[at:], media.captions[at:]
        )

    assert accuracy(grids(encoder, media)) > accuracy(grids(fresh(name), media)) + 0.02
