"""A microworld's stages one after another, from fresh parts to scored items."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_chain import (
    LLM,
    SAMPLING,
    SIGLIP,
    VIDEOMAE,
    Workshop,
    contents,
    evaluation,
    pretraining,
    read_rows,
    training,
)

from apollo_core.design import UniformSampling
from apollo_core.errors import BadData
from apollo_core.execution import Execution
from apollo_core.llm import load_llm
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.stages.assembly import assemble, modules_of
from apollo_core.stages.context import Event, StageContext
from apollo_core.training.loop import schedule
from apollo_core.weights import own_tensors

WORLD = WorldSpec(
    train_videos=8, bench_videos=4, images=6, multi_images=4, texts=8, corpus=32, max_seconds=5
)
BOTH = (SIGLIP, VIDEOMAE)
MIXTURE = {"sft_text": 25, "sft_image": 25, "sft_multi_image": 25, "sft_video": 25}


@dataclass
class Chain:
    """The finished stages of one variant."""

    shop: Workshop
    parents: dict[str, Path]
    align: Path
    sft: Path
    events: list[Event]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """Pretrain both encoders and the language model, align, tune; each for a few steps."""
    root = tmp_path_factory.mktemp("world")
    generate(WORLD, root)
    places = {path.stem: str(path) for path in root.glob("*.jsonl")}
    places |= {"llm": "micro:qwen2-xs", "siglip": "micro:siglip", "videomae": "micro:videomae"}
    shop = Workshop(tmp_path_factory.mktemp("stages"), root, places)
    parents = {
        "llm": shop.run("llm", pretraining(LLM, "corpus")),
        "encoder:0": shop.run("encoder0", pretraining(SIGLIP, "image_captions")),
        "encoder:1": shop.run("encoder1", pretraining(VIDEOMAE, "captions")),
    }
    align = training(BOTH, {"connector": 1e-3}, {"captions": 100})
    first = shop.run("align", align, parents=parents)
    tuned = training(BOTH, {"connector": 1e-3, "llm": 3e-4}, MIXTURE)
    second = shop.run("sft", tuned, parents=parents | {"previous": first}, chain=[first])
    return Chain(shop, parents, first, second, list(shop.events))


def context_of(chain: Chain, *folders: Path) -> StageContext:
    """What a stage after those in `folders` is given."""
    return StageContext(
        out=chain.shop.folder,
        parents=chain.parents,
        chain=folders,
        locations=chain.shop.locations,
        media_root=chain.shop.media_root,
        execution=Execution(),
        report=chain.shop.events.append,
    )


def test_a_checkpoint_holds_only_what_its_stage_trained(chain):
    for folder, trained in ((chain.align, ["connector"]), (chain.sft, ["connector", "llm"])):
        assert json.loads((folder / "checkpoint.json").read_text()) == {"modules": trained}
        stored = load_file(folder / "weights.safetensors")
        assert {name.split(".")[0] for name in stored} == set(trained)
        assert {path.name for path in folder.iterdir()} == {
            "checkpoint.json",
            "fed.json",
            "sampling.jsonl",
            "weights.safetensors",
        }


def test_weights_lie_in_safetensors_and_nothing_else_is_stored_as_them(chain):
    suffixes = {path.suffix for path in chain.shop.folder.rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json", ".jsonl", ".jinja"}


def test_the_chain_restores_every_module_from_where_it_was_last_trained(chain):
    context = context_of(chain, chain.align, chain.sft)
    model, _ = assemble(evaluation(BOTH).model, 0, context)
    tuned = load_file(chain.sft / "weights.safetensors")
    for name in ("connector", "llm"):
        for key, tensor in own_tensors(modules_of(model)[name]).items():
            assert torch.equal(tensor, tuned[f"{name}.{key}"])
    for index, tower in enumerate(model.vision):
        pretrained = load_file(chain.parents[f"encoder:{index}"] / "weights.safetensors")
        for key, tensor in own_tensors(tower).items():
            assert torch.equal(tensor, pretrained[f"encoder.{key}"])
    base, _ = load_llm("micro:qwen2-xs", chain.parents)
    changed = (
        not torch.equal(a, b)
        for a, b in zip(base.parameters(), model.llm.parameters(), strict=True)
    )
    assert all(changed)


def test_the_record_says_what_was_fed_and_at_which_rate(chain):
    fed = json.loads((chain.sft / "fed.json").read_text())
    assert fed["samples"] == [4, 4, 4, 4]
    assert fed["shares"] == [25, 25, 25, 25]
    assert fed["realised_fps"]["median"] == pytest.approx(2, rel=0.1)
    assert fed["skipped"] == 0
    assert (fed["ended_early"], fed["drawn"]) == (False, 16)
    assert [entry["set"] for entry in fed["sets"]] == list(MIXTURE)
    for entry in fed["sets"]:
        assert entry["drawn"] == 4
        assert entry["epochs"] == pytest.approx(4 / entry["size"], abs=1e-6)
    lines = read_rows(chain.sft / "sampling.jsonl")
    assert 0 < len(lines) <= 4
    assert all(line["realised_fps"] == pytest.approx(2, rel=0.1) for line in lines)
    assert all(line["medium"].endswith(".mp4") for line in lines)


def test_data_that_run_out_end_a_stage_whose_cosine_ends_with_them(chain):
    data = {"sft_text": 50, "sft_image": 50}
    ending = training(BOTH, {"connector": 1e-3}, data, samples=64, exhausted="end")
    out = chain.shop.run("ending", ending, parents=chain.parents)
    events = list(chain.shop.events)
    fed = json.loads((out / "fed.json").read_text())
    assert fed["ended_early"]
    assert max(entry["epochs"] for entry in fed["sets"]) == 1
    steps = -(-fed["drawn"] // 4)
    assert [event["step"] for event in events] == list(range(1, steps + 1))
    assert {event["steps"] for event in events} == {steps}
    assert events[-1]["lr/connector"] == pytest.approx(
        1e-3 * schedule(steps - 1, steps=steps, warmup=0.03)
    )


def test_every_step_is_reported_with_its_loss_and_rates(chain):
    assert [event["step"] for event in chain.events] == [1, 2, 3, 4]
    assert all({"loss", "grad_norm", "lr/connector", "lr/llm"} <= e.keys() for e in chain.events)
    assert all("lr/vision" not in event for event in chain.events)


def test_every_step_tells_its_speeds_and_where_a_peak_is_known_its_utilisation(chain):
    tuned = training(BOTH, {"connector": 1e-3, "llm": 3e-4}, MIXTURE)
    chain.shop.run(
        "sft measured",
        tuned,
        parents=chain.parents | {"previous": chain.align},
        chain=[chain.align],
        peak_tflops=1,
    )
    seen = 0
    for plain, event in zip(chain.events, chain.shop.events, strict=True):
        assert event["loss"] == plain["loss"]
        assert "mfu" not in plain
        assert 0 < event["mfu"] < 1
        assert 0 <= event["data_seconds"] <= event["seconds"]
        assert event["tokens_per_second"] == pytest.approx(event["positions"] / event["seconds"])
        seen += event["positions"]
        assert event["tokens_seen"] == seen
        assert event["positions"] > event["tokens"]
        assert event["spike"] == 0


def test_how_a_language_models_steps_are_run_changes_no_more_than_the_last_digits(chain):
    tuned = training(BOTH, {"vision": 1e-4, "connector": 1e-3, "llm": 3e-4}, MIXTURE)
    found: list[list[float]] = []
    ways = ({}, {"packing": "on"}, {"activation_checkpointing": True}, {"fused_optimiser": False})
    for index, way in enumerate(ways):
        chain.shop.run(f"sft way {index}", tuned, parents=chain.parents, chain=[chain.align], **way)
        found.append([event["loss"] for event in chain.shop.events])
    for losses in found[1:]:
        assert losses == pytest.approx(found[0], rel=1e-4)
    assert found[2] == found[0]


def test_the_same_stage_again_leaves_the_same_bytes(chain):
    again = chain.shop.run("llm again", pretraining(LLM, "corpus"))
    assert contents(again) == contents(chain.parents["llm"])
    encoder = chain.shop.run("encoder again", pretraining(VIDEOMAE, "captions"))
    assert contents(encoder) == contents(chain.parents["encoder:1"])
    align = training(BOTH, {"connector": 1e-3}, {"captions": 100})
    aligned = chain.shop.run("align again", align, parents=chain.parents)
    assert contents(aligned) == contents(chain.align)
    tuned = training(BOTH, {"connector": 1e-3, "llm": 3e-4}, MIXTURE)
    second = chain.shop.run("sft again", tuned, parents=chain.parents, chain=[aligned])
    assert contents(second) == contents(chain.sft)


def test_how_a_stage_is_executed_changes_no_more_than_the_last_digits(chain):
    align = training(BOTH, {"connector": 1e-3}, {"captions": 100})
    other = chain.shop.run(
        "align in pieces",
        align,
        parents=chain.parents,
        micro_batch=1,
        frame_cache_mb=0,
        workers=2,
        threads=2,
    )
    assert (other / "fed.json").read_bytes() == (chain.align / "fed.json").read_bytes()
    mine = load_file(other / "weights.safetensors")
    for name, tensor in load_file(chain.align / "weights.safetensors").items():
        torch.testing.assert_close(mine[name], tensor, atol=1e-5, rtol=0)


def test_every_item_is_answered_once_in_every_regime(chain):
    out = chain.shop.run(
        "evaluation", evaluation(BOTH), parents=chain.parents, chain=[chain.align, chain.sft]
    )
    rows = read_rows(out / "items.jsonl")
    items = read_rows(chain.shop.media_root / "bench.jsonl")
    seen = Counter((row["item"], row["regime"]) for row in rows)
    wanted = {(item["id"], r) for item in items for r in ("video", "center_frame", "text")}
    assert seen == dict.fromkeys(wanted, 1)
    by_id = {item["id"]: item for item in items}
    for row in rows:
        item = by_id[row["item"]]
        assert (row["video"], row["category"]) == (item["video"], item["category"])
        assert (row["answer"], row["n_options"]) == (item["answer"], len(item["options"]))
        best = max(range(row["n_options"]), key=row["log_likelihoods"].__getitem__)
        assert row["choice"] == "ABCDEFGH"[best]
        assert row["correct"] == int(row["choice"] == row["answer"])
    scores = {(row["item"], row["regime"]): row["log_likelihoods"] for row in rows}
    assert all(scores[i, "video"] != scores[i, "text"] for i in by_id)
    again = chain.shop.run(
        "evaluation again", evaluation(BOTH), parents=chain.parents, chain=[chain.align, chain.sft]
    )
    assert contents(again) == contents(out)


def test_vision_is_trained_and_stored_where_a_schedule_says_so(chain):
    vision = training(BOTH, {"vision": 1e-3}, {"captions": 100}, samples=4)
    out = chain.shop.run("vision", vision, parents=chain.parents, chain=[chain.align])
    stored = load_file(out / "weights.safetensors")
    assert {name.split(".")[1] for name in stored} == {"0", "1"}
    before = load_file(chain.parents["encoder:0"] / "weights.safetensors")
    model, _ = assemble(vision.model, 0, context_of(chain, chain.align, out))
    aligned = load_file(chain.align / "weights.safetensors")
    assert torch.equal(model.connector.marks, aligned["connector.marks"])
    key = "model.embeddings.patch_embedding.weight"
    assert not torch.equal(stored[f"vision.0.{key}"], before[f"encoder.{key}"])


def test_another_sampling_at_evaluation_is_used(chain):
    uniform = UniformSampling(mode="uniform", frames=4, frames_per_clip=4)
    rows = []
    for index, sampling in enumerate((SAMPLING, uniform)):
        identity = evaluation(BOTH, regimes=("video",), sampling=sampling)
        chains = [chain.align, chain.sft]
        out = chain.shop.run(f"sampled {index}", identity, parents=chain.parents, chain=chains)
        rows.append([row["log_likelihoods"] for row in read_rows(out / "items.jsonl")])
    assert rows[0] != rows[1]


def test_a_checkpoint_of_another_design_is_refused(chain):
    identity = training((SIGLIP,), {"connector": 1e-3}, {"captions": 100})
    with pytest.raises(BadData, match="not the weights of connector"):
        chain.shop.run("other", identity, parents=chain.parents, chain=[chain.align])
