"""Split joining, a memory bank and a text-conditioned resampler, from identity to scores."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_chain import (
    SIGLIP,
    VIDEOMAE,
    Workshop,
    contents,
    evaluation,
    model,
    read_rows,
    training,
    write_rows,
)
from tiny_models import ASKED, RESAMPLERS, image_encoder, qwen2, video_encoder
from transformers import PreTrainedModel

from apollo_core.design import FpsSampling, MemoryBank
from apollo_core.media.decoding import Decoder
from apollo_core.microworld.tokenizer import build_tokenizer

BOTH = (SIGLIP, VIDEOMAE)
CONNECTOR = {"connector": 1e-3}
# Of the real video's 13 s: 7 clips, 3 of which have places of their own.
LONG = FpsSampling(mode="fps", fps=2, frames_per_clip=4, max_clips=8)
MEMORY = MemoryBank(long=2, recent=1)


def turns(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]


ROWS: list[dict[str, object]] = [
    {"id": 1, "video": "nasa.mp4", "conversations": turns("<video>\nwhich shape moves?", "circle")},
    {"id": 2, "image": "a.png", "conversations": turns("<image>\nwhich digit is shown?", "7")},
    {"id": 3, "conversations": turns("what is 2 plus 3?", "5")},
]


def item(number: int, question: str) -> dict[str, object]:
    return {
        "id": f"q{number}",
        "video": "nasa.mp4",
        "question": question,
        "options": ["circle", "square", "triangle"],
        "answer": "A",
        "category": "perception",
    }


@pytest.fixture
def shop(tmp_path: Path, nasa: Path, decoder: Decoder) -> Workshop:
    """Tiny parts in folders, a real video and a frame of it as an image."""
    media = tmp_path / "media"
    media.mkdir()
    shutil.copy(nasa, media / "nasa.mp4")
    Image.fromarray(decoder.read(nasa, [0], size=64)[0]).save(media / "a.png")
    qwen2().save_pretrained(tmp_path / "llm")
    build_tokenizer().save_pretrained(tmp_path / "llm")
    for name, tower in (("siglip", image_encoder()), ("videomae", video_encoder())):
        assert isinstance(tower.model, PreTrainedModel)
        tower.model.save_pretrained(tmp_path / name)
    write_rows(tmp_path / "own", ROWS)
    questions = ("which shape moves?", "which digit is shown?")
    write_rows(tmp_path / "bench", [item(i, question) for i, question in enumerate(questions)])
    names = ("own", "bench", "llm", "siglip", "videomae")
    return Workshop(tmp_path, media, {name: str(tmp_path / name) for name in names})


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "levels",
    [
        {"joining": "split", "resampler": RESAMPLERS["conv_avg"]},
        {"memory": MEMORY, "resampler": RESAMPLERS["attention_pool"]},
        {"joining": "split", "memory": MEMORY, "resampler": ASKED},
    ],
    ids=["split", "memory", "all"],
)
def test_a_stage_trains_and_scores_with_it_and_repeats_to_the_bit(
    shop: Workshop, levels: dict[str, Any], precision: str
):
    design = model(*BOTH).model_copy(update=levels)
    shared = {"model": design, "sampling": LONG, "precision": precision}
    identity = training(BOTH, CONNECTOR, {"own": 100}, samples=6, batch_size=3, **shared)
    trained = shop.run("trained", identity)
    assert contents(shop.run("again", identity)) == contents(trained)
    assert json.loads((trained / "fed.json").read_text())["samples"] == [6]
    scored = shop.run("scored", evaluation(BOTH, **shared), chain=[trained])
    rows = read_rows(scored / "items.jsonl")
    assert {row["regime"] for row in rows} == {"video", "center_frame", "text"}
    assert len({tuple(row["log_likelihoods"]) for row in rows}) == len(rows) == 6
