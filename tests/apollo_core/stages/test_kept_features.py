"""Kept features change no result: whatever is there of them, a stage leaves the same bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_chain import (
    SAMPLING,
    SIGLIP,
    VIDEOMAE,
    Workshop,
    contents,
    evaluation,
    training,
    write_rows,
)
from tiny_models import image_encoder, qwen2, video_encoder
from torch.nn.modules.module import register_module_forward_hook
from transformers import PreTrainedModel

from apollo_core.design import MemoryBank, QFormerResampler
from apollo_core.encoders.encoder import VideoEncoder
from apollo_core.errors import DecodeFailed
from apollo_core.execution import Execution
from apollo_core.features import budget
from apollo_core.features.feature_cache import FeatureCache
from apollo_core.features.feature_use import EncoderKeys, FeatureUse
from apollo_core.features.where_computed import where_computed
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.stages.identity import StageIdentity

VIDEOS = ("a.mp4", "b.mp4", "c.mp4")
IMAGES = ("0.png", "1.png", "2.png")
BOTH = (SIGLIP, VIDEOMAE)
KEYS = tuple(EncoderKeys(video=f"{name}-video", still=f"{name}-still") for name in ("s", "v"))
TRAIN = training(
    BOTH, {"connector": 1e-3, "llm": 1e-3}, {"videos": 50, "pictures": 40, "text": 10}, samples=12
)
EVALUATE = evaluation(BOTH, scoring="letters", prompt="lettered-v1")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Three videos and three images, conversations and questions about them; tiny local models."""
    folder = tmp_path_factory.mktemp("features")
    media = folder / "media"
    media.mkdir()
    nasa = Path(__file__).parents[2] / "data" / "nasa_13013.mp4"
    for name in VIDEOS:
        shutil.copy(nasa, media / name)
    rng = np.random.default_rng(0)
    for name in IMAGES:
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)).save(media / name)
    qwen2().save_pretrained(folder / "llm")
    build_tokenizer().save_pretrained(folder / "llm")
    for name, encoder in (("siglip", image_encoder()), ("videomae", video_encoder())):
        tower = encoder.model
        assert isinstance(tower, PreTrainedModel)
        tower.save_pretrained(folder / name)
    write_rows(folder / "videos.jsonl", [_talk(name, video=name) for name in VIDEOS])
    pairs = [[first, second] for first in IMAGES for second in IMAGES]
    write_rows(folder / "pictures.jsonl", [_talk("".join(two), images=two) for two in pairs])
    write_rows(folder / "text.jsonl", [_talk("alone")])
    write_rows(folder / "bench.jsonl", [_question(video) for video in VIDEOS])
    data = {name: f"{name}.jsonl" for name in ("videos", "pictures", "text", "bench")}
    places = data | {name: name for name in ("llm", "siglip", "videomae")}
    return Workshop(folder, media, {name: str(folder / place) for name, place in places.items()})


def _talk(key: str, **media: Any) -> dict[str, Any]:
    marks = "<video>" if "video" in media else "<image>" * len(media.get("images", ()))
    turns = [
        {"from": "human", "value": f"{marks}which digit is shown?"},
        {"from": "gpt", "value": "7"},
    ]
    return {"id": key, **media, "conversations": turns}


def _question(video: str) -> dict[str, Any]:
    return {
        "id": video,
        "video": video,
        "question": "which digit is shown?",
        "options": ["7", "5"],
        "answer": "B",
        "category": "perception",
    }


def cache_in(folder: Path, *, budget: int = 10**9) -> FeatureCache:
    use = FeatureUse(folder=str(folder / "features"), encoders=KEYS, budget=budget)
    return FeatureCache(use)


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Clips that went through any encoder meanwhile."""
    seen = {"clips": 0}

    def note(module: object, args: tuple[Any, ...], _: object) -> None:
        if isinstance(module, VideoEncoder):
            seen["clips"] += len(args[0])

    hook = register_module_forward_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


def run(shop: Workshop, identity: StageIdentity, cache: FeatureCache | None, **execution: Any):
    """What a stage leaves."""
    name = f"run {len(list(shop.folder.iterdir()))}"
    return contents(shop.run(name, identity, features=cache, **execution))


@pytest.fixture(scope="module")
def plain(shop: Workshop) -> dict[str, dict[str, str]]:
    """What both stages leave when nothing is kept."""
    return {"train": run(shop, TRAIN, None), "evaluate": run(shop, EVALUATE, None)}


@pytest.fixture(scope="module")
def filled(shop: Workshop, plain: dict[str, dict[str, str]]) -> Path:
    """Features that both stages have kept; both were undisturbed by it."""
    folder = shop.folder / "filled"
    for name, identity in (("train", TRAIN), ("evaluate", EVALUATE)):
        cache = cache_in(folder)
        assert run(shop, identity, cache) == plain[name]
        assert cache.misses
        assert not cache.stopped
    return folder


@pytest.fixture
def own(filled: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    shutil.copytree(filled, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_a_stage_that_finds_all_features_runs_no_encoder_and_leaves_the_same_bytes(
    name, shop, plain, filled
):
    identity = {"train": TRAIN, "evaluate": EVALUATE}[name]
    cache = cache_in(filled)
    with counted() as seen:
        assert run(shop, identity, cache) == plain[name]
    assert seen["clips"] == 0
    assert cache.misses == 0
    assert cache.told() == {"feature_hits": cache.hits, "feature_misses": 0}


def test_how_samples_are_batched_and_who_reads_them_does_not_matter(shop, filled):
    ways = {"micro_batch": 3, "workers": 2}
    online = run(shop, TRAIN, None, **ways)
    assert run(shop, TRAIN, cache_in(filled), **ways) == online


OTHERS = {
    "half precision, a branch of their own for stills": {
        "model": TRAIN.model.model_copy(update={"joining": "split"}),
        "precision": "bfloat16",
    },
    "a memory bank, tokens that depend on the question": {
        "model": TRAIN.model.model_copy(
            update={
                "memory": MemoryBank(long=1, recent=1),
                "resampler": QFormerResampler(
                    kind="qformer", tokens_per_frame=1, width=16, heads=2, text=True
                ),
            }
        ),
        "sampling": SAMPLING.model_copy(update={"max_clips": 3}),
    },
}


@pytest.mark.parametrize(
    ("kind", "changes"), [*zip(("train", "evaluate"), OTHERS.values(), strict=True)], ids=OTHERS
)
def test_it_is_so_with_other_connectors_and_in_half_precision(kind, changes, shop, tmp_path):
    identity = {"train": TRAIN.model_copy(update={"samples": 4}), "evaluate": EVALUATE}[kind]
    identity = identity.model_copy(update=changes)
    online = run(shop, identity, None)
    assert run(shop, identity, cache_in(tmp_path)) == online
    warm = cache_in(tmp_path)
    assert run(shop, identity, warm) == online
    assert warm.misses == 0 < warm.hits


def lose_everything(folder: Path) -> None:
    shutil.rmtree(folder)


def cut_every_shard(folder: Path) -> None:
    for path in folder.rglob("*.data"):
        os.truncate(path, path.stat().st_size // 2)


def flip_a_bit_in_every_shard(folder: Path) -> None:
    for path in folder.rglob("*.data"):
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 3] ^= 16
        path.write_bytes(raw)


def lose_one_encoder(folder: Path) -> None:
    shutil.rmtree(folder / "features" / "v-video")


def lose_an_index(folder: Path) -> None:
    next(folder.rglob("*.index")).unlink()


@pytest.mark.parametrize(
    "spoil",
    [lose_everything, cut_every_shard, flip_a_bit_in_every_shard, lose_one_encoder, lose_an_index],
    ids=lambda spoil: spoil.__name__,
)
def test_what_is_lost_or_damaged_is_computed_again_and_kept_again(spoil, shop, plain, own):
    spoil(own)
    cache = cache_in(own)
    assert run(shop, TRAIN, cache) == plain["train"]
    assert cache.misses
    assert not cache.stopped
    again = cache_in(own)
    with counted() as seen:
        assert run(shop, TRAIN, again) == plain["train"]
    assert (seen["clips"], again.misses) == (0, 0)


def test_a_file_that_was_replaced_is_looked_at_again(shop, own):
    picture = shop.media_root / IMAGES[0]
    before = picture.read_bytes()
    time = picture.stat().st_mtime_ns
    try:
        os.utime(picture, ns=(time, time + 1))
        cache = cache_in(own)
        run(shop, TRAIN, cache)
        assert 0 < cache.misses < cache.hits
        picture.unlink()
        with pytest.raises(DecodeFailed, match="does not exist"):
            run(shop, TRAIN, cache_in(own))
    finally:
        picture.write_bytes(before)
        os.utime(picture, ns=(time, time))


def test_a_cache_that_reached_its_budget_stops_growing_says_so_once_and_is_still_read(
    shop, plain, tmp_path
):
    cache = cache_in(tmp_path, budget=40_000)
    assert run(shop, TRAIN, cache) == plain["train"]
    told = [event["features_not_kept"] for event in shop.events if "features_not_kept" in event]
    assert len(told) == 1
    assert "has reached its 4e-05 GB (execution.feature_cache.budget)" in str(told[0])
    size = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert 0 < size <= 41_000  # indices are not counted
    second = cache_in(tmp_path, budget=40_000)
    assert run(shop, TRAIN, second) == plain["train"]
    assert second.misses < cache.misses


def test_a_cache_leaves_the_last_of_a_disk_alone(shop, plain, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "KEPT_FREE", 2**60)
    cache = cache_in(tmp_path)
    assert run(shop, TRAIN, cache) == plain["train"]
    assert "to spare" in cache.stopped


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(shop, plain, tmp_path):
    (tmp_path / "features").write_text("a file where the folder should be")
    cache = cache_in(tmp_path)
    assert run(shop, TRAIN, cache) == plain["train"]
    assert "cannot be used" in cache.stopped


def test_features_of_another_way_to_compute_have_a_folder_of_their_own():
    cpu = torch.device("cpu")
    here = where_computed(Execution(), cpu, size=32)
    assert here == where_computed(Execution(workers=4, micro_batch=2), cpu, size=32)
    others = {
        where_computed(Execution(threads=2), cpu, size=32),
        where_computed(Execution(compile=True), cpu, size=32),
        where_computed(Execution(), cpu, size=48),
    }
    assert len(others | {here}) == 4


def test_shuffled_frames_neither_read_nor_leave_kept_features(shop, tmp_path):
    asked = evaluation(BOTH, regimes=("video", "shuffled"))
    plain = run(shop, asked, None)
    assert run(shop, asked, cache_in(tmp_path)) == plain
    kept = cache_in(tmp_path)
    with counted() as seen:
        assert run(shop, asked, kept) == plain
    assert seen["clips"] > 0  # the shuffled ones; the video's were all read
    with counted() as seen:
        run(shop, evaluation(BOTH, regimes=("video",)), cache_in(tmp_path))
    assert seen["clips"] == 0
