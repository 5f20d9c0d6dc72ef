"""The external stage: models of others leave what ours leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from foreign_models import tiny_qwen2_vl
from tiny_chain import Workshop, contents, read_rows, write_rows

from apollo_core.design import UniformSampling
from apollo_core.external.whole_frames import WholeFrameReader
from apollo_core.media.decoding import Decoder
from apollo_core.stages.identity import ExternalIdentity, Part

ASKED = (
    ("which shape moves?", ("circle", "square", "triangle")),
    ("what colour is it?", ("red", "blue")),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Two videos with two questions each; a tiny Qwen2-VL."""
    folder = tmp_path_factory.mktemp("external")
    media = folder / "media"
    media.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(Path(__file__).parents[2] / "data" / "nasa_13013.mp4", media / name)
    rows = [
        {
            "id": f"{video[0]}{number}",
            "video": video,
            "question": question,
            "options": options,
            "answer": "B",
            "category": "perception",
        }
        for number, (question, options) in enumerate(ASKED)
        for video in ("b.mp4", "a.mp4")
    ]
    write_rows(folder / "bench.jsonl", rows)
    tiny_qwen2_vl(folder / "qwen")
    return Workshop(
        folder, media, {"bench": str(folder / "bench.jsonl"), "qwen": str(folder / "qwen")}
    )


def identity(**changes: object) -> ExternalIdentity:
    fields: dict[str, object] = {
        "model": Part(family="image-text-to-text", fingerprint="qwen"),
        "seed": 0,
        "sampling": UniformSampling(mode="uniform", frames=6, frames_per_clip=1),
        "frames_as": "images",
        "frame_side": 64,
        "benchmark": "bench",
        "regimes": ("video", "shuffled", "center_frame", "text"),
        "scoring": "letters",
        "prompt": "lettered-v1",
    }
    return ExternalIdentity.model_validate(fields | changes)


@pytest.mark.parametrize("scoring", ["letters", "options"])
def test_an_external_model_leaves_the_files_of_an_evaluation_in_every_regime(
    shop: Workshop, scoring: str
) -> None:
    asked = identity(scoring=scoring)
    first = shop.run(f"first-{scoring}", asked)
    rows = read_rows(first / "items.jsonl")
    shown = [row["item"] for row in rows if row["regime"] != "text"]
    assert shown == ["a0", "a1", "b0", "b1"] * 3
    assert len(rows) == 16
    assert {row["regime"] for row in rows} == set(asked.regimes)
    assert {row["n_options"] for row in rows} == {2, 3}
    assert json.loads((first / "scoring.json").read_text())["scoring"] == scoring
    assert len(read_rows(first / "sampling.jsonl")) == 2
    assert shop.events[-1] == {"step": 16, "steps": 16}
    again = shop.run(f"again-{scoring}", asked, micro_batch=1, workers=0)
    for row, other in zip(rows, read_rows(again / "items.jsonl"), strict=True):
        assert row["log_likelihoods"] == pytest.approx(other["log_likelihoods"], abs=1e-4)


def test_written_answers_are_the_same_again(shop: Workshop) -> None:
    asked = identity(scoring="generate", regimes=("center_frame", "text"))
    first, again = shop.run("written", asked), shop.run("again-written", asked, workers=0)
    assert contents(first) == contents(again)
    assert all(row["generated"] for row in read_rows(first / "items.jsonl"))


def test_what_is_shown_reaches_the_model(shop: Workshop) -> None:
    rows = read_rows(shop.run("reach", identity()) / "items.jsonl")
    told = {row["regime"]: row["log_likelihoods"] for row in rows if row["item"] == "a0"}
    assert len({tuple(values) for values in told.values()}) == 4


def test_frames_keep_the_proportions_of_the_picture(shop: Workshop) -> None:
    sampling = UniformSampling(mode="uniform", frames=3, frames_per_clip=1)
    with Decoder() as decoder:
        reader = WholeFrameReader(decoder, shop.media_root, sampling, "plain", 64)
        video, middle = reader.video("a.mp4"), reader.center_frame("a.mp4")
    assert video.frames.shape == (3, 1, 36, 64, 3)
    assert middle.frames.shape == (1, 1, 36, 64, 3)
    assert video.times == pytest.approx([video.duration * (at + 0.5) / 3 for at in range(3)])
