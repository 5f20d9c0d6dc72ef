"""Data and weights of one's own: a JSONL manifest on a real video, models from folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny_chain import (
    SIGLIP,
    Workshop,
    contents,
    evaluation,
    pretraining,
    read_rows,
    training,
    write_rows,
)
from tiny_models import image_encoder, llama
from transformers import PreTrainedModel

from apollo_core.errors import BadData, DecodeFailed
from apollo_core.media.decoding import Decoder
from apollo_core.microworld.tokenizer import build_tokenizer

OWN = (SIGLIP,)
TRAINED = {"vision": 1e-3, "connector": 1e-3, "llm": 1e-3}
DAMAGED = ("gone.mp4", "empty.mp4", "truncated.mp4", "audio_only.mp4")


def turns(asked: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]


ROWS: list[dict[str, object]] = [
    {"id": 1, "video": "nasa.mp4", "conversations": turns("<video>\nwhich shape moves?", "circle")},
    {"id": 2, "image": "a.png", "conversations": turns("<image>\nwhich digit is shown?", "7")},
    {
        "id": 3,
        "images": ["a.png", "b.png"],
        "conversations": turns("<image><image>\nwhich digit is shown?", "7"),
    },
    {"id": 4, "conversations": turns("what is 2 plus 3?", "5")},
]
ITEM = {
    "id": "q",
    "video": "nasa.mp4",
    "question": "which shape moves?",
    "options": ["circle", "square", "triangle"],
    "answer": "A",
    "category": "perception",
}


@pytest.fixture
def shop(tmp_path: Path, nasa: Path, decoder: Decoder) -> Workshop:
    """A tiny Llama, a tiny SigLIP and a manifest, each in a folder of its own."""
    media = tmp_path / "media"
    media.mkdir()
    shutil.copy(nasa, media / "nasa.mp4")
    for name, frame in zip(("a.png", "b.png"), decoder.read(nasa, [0, 200], size=64), strict=True):
        Image.fromarray(frame).save(media / name)
    llama().save_pretrained(tmp_path / "llama")
    build_tokenizer().save_pretrained(tmp_path / "llama")
    tower = image_encoder().model
    assert isinstance(tower, PreTrainedModel)
    tower.save_pretrained(tmp_path / "tower")
    write_rows(tmp_path / "own.jsonl", ROWS)
    write_rows(tmp_path / "bench.jsonl", [ITEM])
    names = {"own": "own.jsonl", "bench": "bench.jsonl", "llm": "llama", "siglip": "tower"}
    places = {fingerprint: str(tmp_path / name) for fingerprint, name in names.items()}
    return Workshop(tmp_path, media, places)


def test_a_manifest_on_a_real_video_trains_and_evaluates_a_model_of_ones_own(shop):
    identity = training(OWN, TRAINED, {"own": 100}, samples=8)
    trained = shop.run("trained", identity)
    assert [event["step"] for event in shop.events] == [1, 2]
    fed = json.loads((trained / "fed.json").read_text())
    assert fed["samples"] == [8]
    for name in ("least", "median", "most"):
        assert fed["realised_fps"][name] == pytest.approx(2.0, rel=0.03)
    again = shop.run("again", identity)
    assert contents(again) == contents(trained)
    rows = read_rows(shop.run("scored", evaluation(OWN), chain=[trained]) / "items.jsonl")
    assert [row["regime"] for row in rows] == ["video", "center_frame", "text"]
    assert all(row["item"] == "q" and row["answer"] == "A" for row in rows)
    assert len({tuple(row["log_likelihoods"]) for row in rows}) == 3


def test_half_precision_is_of_the_arithmetic_and_not_of_the_weights(shop):
    losses: list[float] = []
    for precision in ("float32", "bfloat16"):
        identity = training(OWN, TRAINED, {"own": 100}, samples=4, precision=precision)
        trained = shop.run(precision, identity)
        losses.append(float(shop.events[0]["loss"]))
        stored = load_file(trained / "weights.safetensors")
        assert {tensor.dtype for tensor in stored.values()} == {torch.float32}
        scored = evaluation(OWN, precision=precision)
        rows = read_rows(shop.run(f"{precision} scored", scored, chain=[trained]) / "items.jsonl")
        assert len(rows) == 3
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def spoil(shop: Workshop, name: str, truncated: Path, audio_only: Path) -> None:
    """Put a file that cannot be used where the manifest's video is named `name`."""
    if name == "empty.mp4":
        (shop.media_root / name).touch()
    elif name != "gone.mp4":
        source = truncated if name == "truncated.mp4" else audio_only
        shutil.copy(source, shop.media_root / name)


@pytest.mark.parametrize("name", DAMAGED)
def test_bad_media_stop_the_stage_which_names_the_file(shop, truncated, audio_only, name):
    spoil(shop, name, truncated, audio_only)
    write_rows(Path(shop.locations["own"]), [ROWS[0] | {"video": name}])
    with pytest.raises(DecodeFailed, match=name) as caught:
        shop.run("stopped", training(OWN, TRAINED, {"own": 100}))
    assert caught.value.failure_class == "data"
    assert not list((shop.folder / "stopped").iterdir())


def test_bad_media_are_skipped_counted_and_named_by_option(shop, truncated, audio_only):
    spoil(shop, "truncated.mp4", truncated, audio_only)
    texts = [{"id": f"t{n}", "conversations": turns("what is 2 plus 3?", "5")} for n in range(9)]
    write_rows(Path(shop.locations["own"]), [*texts, ROWS[0] | {"video": "truncated.mp4"}])
    identity = training(OWN, TRAINED, {"own": 100}, samples=20, bad_media="skip")
    fed = json.loads((shop.run("skipped", identity) / "fed.json").read_text())
    assert (fed["samples"], fed["skipped"]) == ([18], 2)
    assert list(fed["skipped_media"]) == ["truncated.mp4"]


def test_more_than_a_fifth_of_bad_media_stop_the_stage_all_the_same(shop):
    write_rows(Path(shop.locations["own"]), [*ROWS[1:], ROWS[0] | {"video": "gone.mp4"}])
    identity = training(OWN, TRAINED, {"own": 100}, bad_media="skip")
    with pytest.raises(BadData, match="more than 20 %") as caught:
        shop.run("too bad", identity)
    assert caught.value.failure_class == "data"


def test_a_benchmarks_bad_video_stops_or_leaves_its_items_out_by_option(shop):
    good = [ITEM | {"id": f"q{index}"} for index in range(4)]
    write_rows(Path(shop.locations["bench"]), [*good, ITEM | {"id": "r", "video": "gone.mp4"}])
    with pytest.raises(DecodeFailed, match=r"gone\.mp4"):
        shop.run("stopped", evaluation(OWN))
    out = shop.run("skipped", evaluation(OWN, bad_media="skip"))
    rows = read_rows(out / "items.jsonl")
    for regime in ("video", "center_frame", "text"):  # the same items in each
        assert {row["item"] for row in rows if row["regime"] == regime} == {"q0", "q1", "q2", "q3"}
    assert json.loads((out / "skipped.json").read_text()) == {"gone.mp4": "does not exist"}


def test_a_benchmark_of_which_too_much_would_be_left_out_stops_the_stage(shop):
    write_rows(Path(shop.locations["bench"]), [ITEM, ITEM | {"id": "r", "video": "gone.mp4"}])
    with pytest.raises(BadData, match="1 of 2 items"):
        shop.run("ruined", evaluation(OWN, bad_media="skip"))


def test_captions_that_the_microworlds_encoders_cannot_read_are_named(shop):
    shop.locations["siglip"] = "micro:siglip"
    write_rows(shop.folder / "own.jsonl", [ROWS[1] | {"conversations": turns("<image>", "Grey.")}])
    with pytest.raises(BadData, match=r"sample '2'.*no word of the microworld's language"):
        shop.run("foreign words", pretraining(SIGLIP, "own"))
