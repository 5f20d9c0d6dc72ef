"""A stage changes every tensor of the modules that it declares, and no other: whatever the encoder.

Several published code bases train less than they say, without an error.
"""

from __future__ import annotations

from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_chain import LLM, Workshop, pretraining, training
from tiny_chain import model as model_of
from torch import Tensor

from apollo_core.microworld.parts import ENCODERS
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.model import VideoLMM
from apollo_core.stages import train
from apollo_core.stages.identity import Part

WORLD = WorldSpec(
    train_videos=2, bench_videos=1, images=2, multi_images=2, texts=2, corpus=8, max_seconds=4
)
MODULES = ("vision", "connector", "llm")
SUBSETS = list(chain.from_iterable(combinations(MODULES, n) for n in (1, 2, 3)))
# The softmax takes away what a key's bias adds to all scores of a query, and with it its gradient.
WITHOUT_EFFECT = ("k_proj.bias", "key.bias", "k_bias")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    root = tmp_path_factory.mktemp("world")
    generate(WORLD, root)
    places = {path.stem: str(path) for path in root.glob("*.jsonl")}
    places |= {"llm": "micro:qwen2-xs"} | {name: f"micro:{name}" for name in ENCODERS}
    return Workshop(tmp_path_factory.mktemp("stages"), root, places)


@pytest.fixture(scope="module")
def parents(shop: Workshop) -> dict[str, Path]:
    identity = pretraining(LLM, "corpus")
    return {"llm": shop.run("llm", identity.model_copy(update={"samples": 16, "batch_size": 8}))}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The stage's own model, and its tensors as they were when it was put together."""
    seen: dict[str, Any] = {}
    whole = train.assemble

    def assemble(*args: Any, **kwargs: Any) -> tuple[VideoLMM, Any]:
        model, tokenizer = whole(*args, **kwargs)
        seen["model"] = model
        seen["before"] = {name: t.detach().clone() for name, t in model.state_dict().items()}
        return model, tokenizer

    monkeypatch.setattr(train, "assemble", assemble)
    return seen


def changed(watched: dict[str, Any]) -> set[str]:
    before: dict[str, Tensor] = watched["before"]
    after: dict[str, Tensor] = watched["model"].state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def declared(model: VideoLMM, trained: tuple[str, ...]) -> set[str]:
    """Names of the parameters of `trained`; buffers are no weights."""
    names = (name for name, _ in model.named_parameters(remove_duplicate=False))
    return {name for name in names if name.split(".")[0] in trained}


@pytest.mark.parametrize("trained", SUBSETS, ids="+".join)
@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_one_step_of_a_stage_changes_exactly_what_it_declares(
    name, trained, shop, parents, watched
):
    part = Part(family=ENCODERS[name].family, fingerprint=name)
    # With marks around clips, which are the connector's too.
    design = model_of(part).model_copy(update={"integration": "separators"})
    rates = dict.fromkeys(trained, 1e-2)
    identity = training((part,), rates, {"captions": 100}, samples=4, model=design)
    out = shop.run(f"{name} {'+'.join(trained)}", identity, parents=parents)
    model = watched["model"]
    meant = declared(model, trained)
    idle = {tensor for tensor in meant if tensor.endswith(WITHOUT_EFFECT)}
    assert meant - idle <= changed(watched) <= meant
    assert [event["steps"] for event in shop.events] == [1]
    stored = {key.split(".")[0] for key in load_file(out / "weights.safetensors")}
    assert stored == set(trained)
    for module in MODULES:
        part_of_model = getattr(model, module)
        assert part_of_model.training == (module in trained)
        assert all(p.requires_grad == (module in trained) for p in part_of_model.parameters())
        assert module in trained or all(p.grad is None for p in part_of_model.parameters())
