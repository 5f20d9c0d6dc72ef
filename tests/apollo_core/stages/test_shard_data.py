"""A stage trained on shards: with its media inside, in an order that a resumed one keeps."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from PIL import Image
from tiny_chain import LLM, SIGLIP, Workshop, contents, pretraining, training

from apollo_core.errors import LeaseLost
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.stages.context import Event

WORLD = WorldSpec(train_videos=1, bench_videos=1, images=1, multi_images=1, texts=4, corpus=8)
TURNS = [{"from": "human", "value": "<image>\nwhich digit is shown?"}, {"from": "gpt", "value": ""}]


def shard(path: Path, *digits: int) -> None:
    with tarfile.open(path, "w") as tar:
        for digit in digits:
            held = io.BytesIO()
            Image.new("RGB", (32, 32), (digit * 20, 60, 90)).save(held, "PNG")
            asked, answered = TURNS
            record = {"conversations": [asked, {**answered, "value": str(digit)}]}
            for name, raw in (("png", held.getvalue()), ("json", json.dumps(record).encode())):
                info = tarfile.TarInfo(f"{digit}.{name}")
                info.size = len(raw)
                tar.addfile(info, io.BytesIO(raw))


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("APOLLO_SCRATCH", str(tmp_path / "scratch"))
    world = tmp_path / "world"
    generate(WORLD, world)
    (world / "shards").mkdir()
    shard(world / "shards" / "0.tar", 0, 1, 2, 3)
    shard(world / "shards" / "1.tar", 4, 5)
    places = {path.stem: str(path) for path in world.glob("*.jsonl")}
    places |= {
        "llm": "micro:qwen2-xs",
        "siglip": "micro:siglip",
        "shards": str(world / "shards" / "*.tar"),
    }
    return Workshop(tmp_path, world, places)


def test_a_stage_trains_on_shards_and_a_resumed_one_ends_with_the_same_bits(shop):
    small = pretraining(LLM, "corpus").model_copy(update={"samples": 8, "batch_size": 8})
    how = {"parents": {"llm": shop.run("llm", small)}, "checkpoint_minutes": 1e-9}
    rates = {"vision": 1e-4, "connector": 1e-3, "llm": 1e-3}
    identity = training((SIGLIP,), rates, {"shards": 100}, samples=20)
    whole = shop.run("whole", identity, **how)
    fed = json.loads((whole / "fed.json").read_text())
    assert (fed["samples"], fed["skipped"]) == ([20], 0)
    assert (fed["sets"][0]["size"], fed["sets"][0]["drawn"]) == (6, 20)

    def lose(event: Event) -> None:
        if event["step"] == 3:
            raise LeaseLost("taken over")

    kept = shop.folder / "checkpoints"
    with pytest.raises(LeaseLost):
        shop.run("stopped", identity, checkpoints=kept, report=lose, **how)
    resumed = shop.run("resumed", identity, checkpoints=kept, **how)
    assert next(event["step"] for event in shop.events) == 3
    assert contents(resumed) == contents(whole)
