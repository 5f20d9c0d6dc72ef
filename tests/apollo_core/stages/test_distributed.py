"""Two processes that run a stage together leave what one leaves.

Every stage here runs in the same two warm processes, started once, and in this one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ranked_training import with_dropout
from safetensors.torch import load_file
from tiny_chain import (
    LLM,
    SIGLIP,
    VIDEOMAE,
    Workshop,
    contents,
    evaluation,
    model,
    pretraining,
    training,
    write_rows,
)

from apollo_core.design import QFormerResampler
from apollo_core.execution import Execution
from apollo_core.microworld.world import WorldSpec, generate
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import StageIdentity
from apollo_core.stages.run import run_stage
from apollo_core.training.stage_checkpoint import NAME
from orchestrator.engine.gang import RankFailed, in_gang
from orchestrator.engine.local_gang import LocalGangs

pytestmark = pytest.mark.slow

WORLD = WorldSpec(
    train_videos=4, bench_videos=3, images=4, multi_images=2, texts=4, corpus=8, max_seconds=4
)
MIXTURE = {"sft_text": 40, "sft_image": 20, "sft_multi_image": 10, "sft_video": 30}
ALL = {"vision": 1e-4, "connector": 1e-3, "llm": 1e-3}
# Beside what differs with the clock.
SAME = ("step", "steps", "tokens", "positions", "tokens_seen", "lr/connector")
ASKED = [{"from": "human", "value": "<video>\nWhat?"}, {"from": "gpt", "value": "red"}]
# Eighteen samples in steps of four: the last step has one sample for each rank, and the step's
# micro-batches of one leave a rank with text alone beside one with a video.
ONE_BY_ONE: dict[str, Any] = {"micro_batch": 1}

Stage = Callable[[StageIdentity, StageContext], None]


@dataclass
class Ran:
    """A stage's folder and its events."""

    out: Path
    events: list[Event]


class Ranks:
    """Runs stages of a workshop in this process, or in two that stay for the whole module."""

    def __init__(self, shop: Workshop, parents: Mapping[str, Path], gangs: LocalGangs) -> None:
        self._shop = shop
        self._parents = parents
        self._gangs = gangs
        self._count = 0

    def run(
        self,
        identity: StageIdentity,
        ranks: int = 1,
        *,
        stage: Stage = run_stage,
        aside: Path | None = None,
        checkpoints: Path | None = None,
        **execution: Any,
    ) -> Ran:
        """Run a stage; `aside` gets the state that it kept after its second step."""
        self._count += 1
        out = self._shop.folder / f"work {self._count}" / "out"
        out.mkdir(parents=True)
        events: list[Event] = []

        def report(event: Event) -> None:
            events.append(event)
            # The state of the step before: this step's takes its place when this returns.
            if aside and checkpoints and event["step"] == 3:
                shutil.copy(checkpoints / NAME, aside)

        context = StageContext(
            out=out,
            parents=self._parents,
            chain=(),
            locations=self._shop.locations,
            media_root=self._shop.media_root,
            execution=Execution.model_validate(execution),
            report=report,
            checkpoints=checkpoints,
        )
        if ranks > 1:
            stage = in_gang(stage, lambda: self._gangs.of(ranks, own_gpu=False))
        stage(identity, context)
        return Ran(out, events)


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranks]:
    root = tmp_path_factory.mktemp("world")
    generate(WORLD, root)
    row = {"id": "broken", "video": "broken.mp4", "conversations": ASKED}
    write_rows(root / "broken.jsonl", [row])
    (root / "broken.mp4").write_bytes(b"no video")
    places = {path.stem: str(path) for path in root.glob("*.jsonl")}
    places |= {"llm": "micro:qwen2-xs", "siglip": "micro:siglip", "videomae": "micro:videomae"}
    shop = Workshop(tmp_path_factory.mktemp("stages"), root, places)
    first = pretraining(LLM, "corpus").model_copy(update={"samples": 16, "batch_size": 8})
    with LocalGangs() as gangs:
        yield Ranks(shop, {"llm": shop.run("llm", first)}, gangs)


def tuning(rates: Mapping[str, float] = ALL, **changes: object):
    return training((SIGLIP,), rates, MIXTURE, **{"samples": 18} | changes)


def same(ran: Ran, expected: Ran) -> None:
    """Losses and norms to 1e-4; everything that is counted to the last item."""
    assert len(ran.events) == len(expected.events) > 0
    for event, wanted in zip(ran.events, expected.events, strict=True):
        assert [event.get(name) for name in SAME] == [wanted.get(name) for name in SAME]
        for name in ("loss", "grad_norm"):
            assert event[name] == pytest.approx(wanted[name], rel=1e-4), name
    for name in ("fed.json", "sampling.jsonl"):
        assert (ran.out / name).read_bytes() == (expected.out / name).read_bytes()
    weights, wanted = (load_file(each.out / "weights.safetensors") for each in (ran, expected))
    assert weights.keys() == wanted.keys()
    assert {name: each.shape for name, each in weights.items()} == {
        name: each.shape for name, each in wanted.items()
    }


# What a step is made of, and how it is run: name -> the stage and its execution.
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "padded": (tuning(samples=17), {"packing": "off"}),
    "packed, one by one": (tuning(), {"packing": "on", **ONE_BY_ONE}),
    "frozen language model": (tuning({"connector": 1e-3}, samples=8), ONE_BY_ONE),
    "frozen connector": (tuning({"llm": 1e-3}, samples=8), ONE_BY_ONE),
    "bfloat16, computed again": (
        tuning(samples=8, precision="bfloat16"),
        {"activation_checkpointing": True, **ONE_BY_ONE},
    ),
    "asked, split, speeds told": (
        training(
            (SIGLIP, VIDEOMAE),
            ALL,
            MIXTURE,
            samples=8,
            model=model(SIGLIP, VIDEOMAE).model_copy(
                update={
                    "joining": "split",
                    "resampler": QFormerResampler(
                        kind="qformer", tokens_per_frame=1, width=16, heads=2, text=True
                    ),
                }
            ),
        ),
        {"peak_tflops": 0.1, **ONE_BY_ONE},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_two_ranks_learn_as_one_does(ranks, way):
    identity, execution = WAYS[way]
    alone = ranks.run(identity, **execution)
    for sharding in ("ddp", "fsdp"):
        same(ranks.run(identity, 2, sharding=sharding, **execution), alone)


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, Any]:
    """Keep a state after each step, and that of the second aside."""
    aside = tmp_path / "aside"
    aside.mkdir()
    return {"aside": aside, "checkpoints": tmp_path / "kept", "checkpoint_minutes": 1e-9}


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
def test_a_stage_goes_on_with_another_number_of_ranks(ranks, kept, sharding, before, after):
    whole = ranks.run(tuning(), before, sharding=sharding, **kept)
    again = ranks.run(tuning(), after, sharding=sharding, checkpoints=kept["aside"])
    assert again.events[0]["resumed_after"] == 2
    same(Ran(again.out, whole.events[:2] + again.events), whole)


@pytest.mark.parametrize("sharding", ["ddp", "fsdp"])
def test_two_ranks_go_on_to_the_very_bits_dropout_included(ranks, kept, sharding):
    noisy: dict[str, Any] = {"stage": with_dropout, "sharding": sharding}
    whole = ranks.run(tuning(samples=14), 2, **noisy, **kept)
    again = ranks.run(tuning(samples=14), 2, **noisy, checkpoints=kept["aside"])
    assert contents(again.out) == contents(whole.out)
    assert [event["loss"] for event in again.events] == [e["loss"] for e in whole.events[2:]]
    quiet = ranks.run(tuning(samples=14), 2, sharding=sharding)
    assert contents(quiet.out) != contents(whole.out), "nothing was dropped"


def test_two_ranks_answer_a_benchmark_as_one_does(ranks):
    identity = evaluation((SIGLIP,))
    alone, together = (ranks.run(identity, count) for count in (1, 2))
    assert contents(together.out) == contents(alone.out)
    assert together.events[-1] == alone.events[-1]


def test_what_one_rank_cannot_read_is_recorded_as_by_one(ranks):
    broken = training((SIGLIP,), ALL, {"sft_text": 85, "broken": 15}, samples=14, bad_media="skip")
    alone, together = (ranks.run(broken, count) for count in (1, 2))
    same(together, alone)
    assert json.loads((together.out / "fed.json").read_text())["skipped"] > 0


def test_what_one_rank_cannot_read_stops_both_as_bad_data(ranks):
    broken = training((SIGLIP,), ALL, {"sft_text": 70, "broken": 30}, samples=12)
    with pytest.raises(RankFailed, match=r"rank \d of 2: .*broken.mp4") as failed:
        ranks.run(broken, 2, sharding="fsdp")
    assert failed.value.failure_class == "data"
