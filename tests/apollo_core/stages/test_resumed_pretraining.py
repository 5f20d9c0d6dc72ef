"""Pretraining that is stopped and run again ends with the bits of one that was not."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file
from tiny_chain import LLM, SIGLIP, Workshop, contents, pretraining

from apollo_core.errors import LeaseLost
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.stages.context import Event
from apollo_core.stages.identity import Part
from apollo_core.training.stage_checkpoint import NAME

WORLD = WorldSpec(
    train_videos=4, bench_videos=1, images=4, multi_images=0, texts=1, corpus=8, max_seconds=4
)
# Of encoders one that compares its batch, and two that have a teacher to go on with.
DINOV2 = Part(family="dinov2", fingerprint="dinov2")
VJEPA2 = Part(family="vjepa2", fingerprint="vjepa2")
PARTS = [
    (LLM, "corpus"),
    (SIGLIP, "image_captions"),
    (DINOV2, "image_captions"),
    (VJEPA2, "captions"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    root = tmp_path_factory.mktemp("world")
    generate(WORLD, root)
    places = {path.stem: str(path) for path in root.glob("*.jsonl")}
    places |= {"llm": "micro:qwen2-xs"}
    places |= {name: f"micro:{name}" for name in ("siglip", "dinov2", "vjepa2")}
    return Workshop(tmp_path_factory.mktemp("stages"), root, places)


def lose_at_step_two(event: Event) -> None:
    if event["step"] == 2:
        raise LeaseLost("taken over")


@pytest.mark.parametrize(("part", "corpus"), PARTS)
def test_pretraining_that_was_stopped_goes_on_to_the_very_bits(shop, tmp_path, part, corpus):
    identity = pretraining(part, corpus)
    whole = contents(shop.run(f"whole {part.fingerprint}", identity))
    keep = {"checkpoints": tmp_path, "checkpoint_minutes": 1e-9}
    with pytest.raises(LeaseLost):
        shop.run(f"lost {part.fingerprint}", identity, report=lose_at_step_two, **keep)
    again = shop.run(f"again {part.fingerprint}", identity, **keep)
    assert contents(again) == whole
    assert [event["step"] for event in shop.events] == [2, 3]
    assert shop.events[0]["resumed_after"] == 1


@pytest.mark.parametrize(("part", "corpus"), PARTS)
def test_a_smaller_micro_batch_moves_pretraining_by_no_more_than_rounding(shop, part, corpus):
    identity = pretraining(part, corpus)
    shop.run(f"at once {part.fingerprint}", identity)
    losses = [event["loss"] for event in shop.events]
    shop.run(f"by threes {part.fingerprint}", identity, micro_batch=3)
    assert [event["loss"] for event in shop.events] == pytest.approx(losses, rel=1e-5)


def test_the_checkpoint_of_another_part_is_ignored(shop, tmp_path):
    keep = {"checkpoints": tmp_path, "checkpoint_minutes": 1e-9}
    with pytest.raises(LeaseLost):
        shop.run("llm lost", pretraining(LLM, "corpus"), report=lose_at_step_two, **keep)
    assert load_file(tmp_path / NAME)
    shop.run("siglip after llm", pretraining(SIGLIP, "image_captions"), **keep)
    assert shop.events[0]["checkpoint_ignored"] == "it is another stage's"
