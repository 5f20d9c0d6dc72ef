"""A stage that is stopped and run again ends with the bits of one that was not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tiny_chain import LLM, SIGLIP, Workshop, contents, pretraining, training

from apollo_core.errors import LeaseLost, StageFailed
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.stages import assembly
from apollo_core.stages.context import Event
from apollo_core.stages.identity import TrainIdentity
from apollo_core.training.stage_checkpoint import NAME
from apollo_core.training.training_state import TrainingState

WORLD = WorldSpec(
    train_videos=4, bench_videos=1, images=4, multi_images=2, texts=4, corpus=8, max_seconds=4
)
MIXTURE = {"sft_text": 25, "sft_image": 25, "sft_multi_image": 10, "sft_video": 40}
ALWAYS: dict[str, Any] = {"checkpoint_minutes": 1e-9}
SPEEDS = {"seconds", "data_seconds", "tokens_per_second"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A tiny world, an image encoder with fresh weights, a language model of its world."""
    root = tmp_path_factory.mktemp("world")
    generate(WORLD, root)
    places = {path.stem: str(path) for path in root.glob("*.jsonl")}
    places |= {"llm": "micro:qwen2-xs", "siglip": "micro:siglip"}
    return Workshop(tmp_path_factory.mktemp("stages"), root, places)


@pytest.fixture(scope="module")
def parents(shop: Workshop) -> dict[str, Path]:
    identity = pretraining(LLM, "corpus")
    return {"llm": shop.run("llm", identity.model_copy(update={"samples": 16, "batch_size": 8}))}


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention dropout in the language model: every step draws from torch's stream."""
    whole = assembly.load_llm

    def with_dropout(*args, **kwargs):
        model, tokenizer = whole(*args, **kwargs)
        for layer in model.model.layers:
            layer.self_attn.attention_dropout = 0.2
        return model, tokenizer

    monkeypatch.setattr(assembly, "load_llm", with_dropout)


def tuning(**changes: object) -> TrainIdentity:
    rates = {"vision": 1e-4, "connector": 1e-3, "llm": 1e-3}
    return training((SIGLIP,), rates, MIXTURE, **{"samples": 24} | changes)


def lose_after(step: int) -> Callable[[Event], None]:
    """The lease goes when the event of `step` + 1 is reported."""

    def report(event: Event) -> None:
        if event["step"] == step + 1:
            raise LeaseLost("taken over")

    return report


def told(events: list[Event]) -> list[Event]:
    """Events without what a clock says."""
    return [{k: v for k, v in event.items() if k not in SPEEDS} for event in events]


@pytest.mark.usefixtures("noisy")
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_a_stage_that_loses_its_lease_goes_on_to_the_very_bits(shop, parents, tmp_path, workers):
    how = {"parents": parents, "workers": workers, **ALWAYS}
    whole = shop.run(f"whole {workers}", tuning(), **how)
    expected = told(shop.events)
    for lost in (3, 5):
        with pytest.raises(LeaseLost):
            shop.run(
                f"lost {workers} {lost}",
                tuning(),
                report=lose_after(lost),
                checkpoints=tmp_path,
                **how,
            )
    again = shop.run(f"again {workers}", tuning(), checkpoints=tmp_path, **how)
    assert contents(again) == contents(whole)
    # The state of step 5 was kept when its event was taken, and that of step 6 never.
    assert told(shop.events) == [{**expected[5], "resumed_after": 5}]


def test_a_stage_stopped_after_its_last_step_still_tells_where_it_went_on(shop, parents, tmp_path):
    whole = shop.run("whole to the end", tuning(), parents=parents)
    how = {"parents": parents, "checkpoints": tmp_path, **ALWAYS}

    def leave_no_place_for_weights(_: Event) -> None:
        shutil.rmtree(shop.folder / "not saved", ignore_errors=True)

    with pytest.raises((OSError, SafetensorError)):
        shop.run("not saved", tuning(), report=leave_no_place_for_weights, **how)
    again = shop.run("saved", tuning(), **how)
    assert shop.events == [{"step": 6, "steps": 6, "resumed_after": 6}]
    assert contents(again) == contents(whole)


def test_the_number_of_spikes_goes_on_with_the_stage(stopped):
    values = json.loads(load_file(stopped / NAME)["values"].numpy().tobytes())
    model = torch.nn.Linear(2, 2)
    trained = {"connector": model}
    state = TrainingState(trained, torch.optim.AdamW(model.parameters()), torch.device("cpu"))
    state.spikes = 3
    kept = state.values()
    assert kept.keys() == values["state"].keys()
    fresh = TrainingState(trained, torch.optim.AdamW(model.parameters()), torch.device("cpu"))
    fresh.restore(state.tensors(), kept)
    assert fresh.spikes == 3


def test_flex_attention_without_a_gpu_is_refused_before_anything_is_read(shop):
    with pytest.raises(StageFailed, match="'flex_attention' needs a GPU and none is visible"):
        shop.run("flex", tuning(), attention="flex_attention")
    with pytest.raises(ValidationError, match="'flex_attention' needs a GPU, and device is 'cpu'"):
        shop.run("flex on cpu", tuning(), attention="flex_attention", device="cpu")


@pytest.fixture(scope="module")
def quiet(shop: Workshop, parents: dict[str, Path]) -> dict[str, str]:
    """The stage without dropout."""
    return contents(shop.run("quiet", tuning(samples=4), parents=parents))


@pytest.mark.usefixtures("noisy")
def test_dropout_draws_from_a_stream_of_the_stage_and_leaves_torchs_own_alone(quiet, shop, parents):
    """Did it not draw, the tests of resuming would prove nothing of random streams."""
    before = torch.random.get_rng_state()
    first, again = (
        contents(shop.run(f"noisy {n}", tuning(samples=4), parents=parents)) for n in range(2)
    )
    assert first == again
    assert first["weights.safetensors"] != quiet["weights.safetensors"]
    assert torch.equal(before, torch.random.get_rng_state())


def test_how_many_workers_read_changes_no_bit(shop, parents):
    found = [
        contents(shop.run(f"read by {workers}", tuning(), parents=parents, workers=workers))
        for workers in (0, 1, 4)
    ]
    assert found[0] == found[1] == found[2]


def test_a_lost_lease_leaves_the_checkpoint_before_it_and_nothing_half_written(
    shop, parents, tmp_path
):
    with pytest.raises(LeaseLost):
        shop.run(
            "lost early",
            tuning(),
            parents=parents,
            report=lose_after(2),
            checkpoints=tmp_path,
            **ALWAYS,
        )
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    with pytest.raises(LeaseLost):
        shop.run(
            "lost at once",
            tuning(),
            parents=parents,
            report=lose_after(2),
            checkpoints=tmp_path,
            **ALWAYS,
        )
    assert shop.events == []


@pytest.fixture(scope="module")
def stopped(shop: Workshop, parents: dict[str, Path], tmp_path_factory) -> Path:
    """The checkpoint of a stage stopped after its second step."""
    folder = tmp_path_factory.mktemp("stopped")
    with pytest.raises(LeaseLost):
        shop.run(
            "stopped",
            tuning(),
            parents=parents,
            report=lose_after(2),
            checkpoints=folder,
            **ALWAYS,
        )
    return folder


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5000] ^= 1
    path.write_bytes(content)


def replace_by_weights(path: Path) -> None:
    save_file({"x": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(truncate, "cannot be read"), (flip, "have changed"), (replace_by_weights, "have changed")],
)
def test_a_damaged_checkpoint_is_ignored_and_the_stage_starts_anew(
    shop, parents, stopped, tmp_path, damage, reason
):
    shutil.copytree(stopped, tmp_path, dirs_exist_ok=True)
    damage(tmp_path / NAME)
    name = f"damaged by {damage.__name__}"
    shop.run(name, tuning(), parents=parents, checkpoints=tmp_path, checkpoint_minutes=0)
    assert shop.events[0]["step"] == 1
    assert reason in str(shop.events[0]["checkpoint_ignored"])
    assert "checkpoint_ignored" not in shop.events[1]


def test_the_checkpoint_of_another_stage_is_ignored(shop, parents, stopped):
    other = tuning(seed=1)
    shop.run("foreign", other, parents=parents, checkpoints=stopped, checkpoint_minutes=0)
    assert shop.events[0]["step"] == 1
    assert shop.events[0]["checkpoint_ignored"] == "it is another stage's"


def test_zero_minutes_keep_nothing(shop, parents, tmp_path):
    identity = tuning(samples=8)
    shop.run("no folder", identity, parents=parents, checkpoints=tmp_path, checkpoint_minutes=0)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_holds_only_what_is_trained_and_no_pickle(stopped):
    stored = load_file(stopped / NAME)
    kinds = {name.split(".")[0] for name in stored}
    assert kinds == {"module", "optimiser", "random", "values"}
    modules = {name.split(".")[1] for name in stored if name.startswith("module.")}
    assert modules == {"vision", "connector", "llm"}
