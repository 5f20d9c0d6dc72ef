"""One learning rate per module, the same result whatever the micro-batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain, combinations

import pytest
import torch
from tiny_models import conversations, llama, lmm
from torch import Tensor

from apollo_core.batch import Batch
from apollo_core.errors import Diverged
from apollo_core.microworld.tokenizer import build_tokenizer
from apollo_core.model import VideoLMM
from apollo_core.stages.assembly import modules_of
from apollo_core.stages.context import Event
from apollo_core.text.chat import IGNORED
from apollo_core.training.loop import Recipe, schedule, train

TOKENIZER = build_tokenizer()
CPU = torch.device("cpu")
MODULES = ("vision", "connector", "llm")
SUBSETS = list(chain.from_iterable(combinations(MODULES, n) for n in (1, 2, 3)))
ASKED = [(i % 3, ("red", "7", "yellow circle")[i % 3]) for i in range(8)]


def recipe(rates: Mapping[str, float], **changes: float) -> Recipe:
    fields = {"steps": 4, "warmup": 0.0, "weight_decay": 0.0, "clip_norm": 1.0} | changes
    return Recipe(
        rates=rates,
        steps=int(fields["steps"]),
        warmup=fields["warmup"],
        weight_decay=fields["weight_decay"],
        clip_norm=fields["clip_norm"],
        precision="float32",
    )


def run(model: VideoLMM, batches: Iterable[list[Batch]], how: Recipe) -> list[Event]:
    events: list[Event] = []
    train(modules_of(model), model.loss, batches, how, device=CPU, report=events.append)
    return events


def tensors(model: VideoLMM) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("trained", SUBSETS, ids="+".join)
def test_one_step_changes_every_tensor_of_the_trained_modules_and_no_other(trained):
    model = lmm(llama())
    marked = conversations(TOKENIZER, ASKED)
    # The marks around clips stand in this batch, so that they too have something to learn.
    source = marked.source.clone()
    source[0, :2] = torch.tensor([-2, -3])
    batch = replace(marked, source=source)
    before = tensors(model)
    run(model, [[batch]], recipe(dict.fromkeys(trained, 1e-2)))
    after = tensors(model)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    declared = {name for name in before if name.split(".")[0] in trained}
    # A bias of the keys adds the same to all scores of a query, which the softmax takes away.
    without_effect = {name for name in declared if name.endswith("self_attn.k_proj.bias")}
    assert declared - without_effect <= changed <= declared


def test_frozen_modules_are_in_eval_mode_and_trained_ones_are_not():
    model = lmm()
    run(model, [[conversations(TOKENIZER, ASKED[:2])]], recipe({"connector": 1e-3}))
    frozen = [*model.vision.parameters(), *model.llm.parameters()]
    assert not any(parameter.requires_grad for parameter in frozen)
    assert (model.vision.training, model.connector.training, model.llm.training) == (
        False,
        True,
        False,
    )


def test_one_micro_batch_of_eight_equals_eight_of_one():
    whole, split = lmm(), lmm()
    rates = {"vision": 1e-3, "connector": 1e-3, "llm": 1e-3}
    together = conversations(TOKENIZER, ASKED)
    one_by_one = [rows_of(together, row) for row in range(8)]
    first = run(whole, [[together]] * 2, recipe(rates, clip_norm=0.5))
    second = run(split, [one_by_one] * 2, recipe(rates, clip_norm=0.5))
    for a, b in zip(first, second, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-5)
        assert a["grad_norm"] == pytest.approx(b["grad_norm"], rel=1e-4)
        assert a["tokens"] == b["tokens"]
    # AdamW divides by the gradient's own size: where that is near 0, so is its direction's worth
    for name, tensor in tensors(whole).items():
        torch.testing.assert_close(tensor, tensors(split)[name], atol=3e-4, rtol=1e-3)


def rows_of(batch: Batch, row: int) -> Batch:
    own = slice(row, row + 1)
    cut = ("tokens", "labels", "attended", "source")
    return replace(batch, **{name: getattr(batch, name)[own] for name in cut})


def test_the_gradient_of_a_step_does_not_depend_on_its_micro_batches():
    whole, split = lmm(), lmm()
    together = conversations(TOKENIZER, ASKED)
    (whole.loss(together) / together.supervised).backward()
    for row in range(8):
        (split.loss(rows_of(together, row)) / together.supervised).backward()
    for mine, theirs in zip(whole.parameters(), split.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, atol=1e-5, rtol=1e-4)


def test_a_micro_batch_of_text_alone_teaches_a_connector_nothing_and_stops_nothing():
    mixed, alone = lmm(), lmm()
    video, text = (conversations(TOKENIZER, [(n, "red")]) for n in (1, 0))
    run(alone, [[video]], recipe({"connector": 1e-3}))
    run(mixed, [[text, video]], recipe({"connector": 1e-3}))
    before = tensors(mixed)
    run(mixed, [[text]], recipe({"connector": 1e-3}))
    assert all(torch.equal(before[name], tensor) for name, tensor in tensors(mixed).items())


def test_a_step_without_supervised_tokens_leaves_nothing_for_the_next_to_be_moved_by():
    video, text = (conversations(TOKENIZER, [(n, "red")]) for n in (2, 0))
    silent = replace(video, labels=torch.full_like(video.labels, IGNORED))
    alone, followed = lmm(), lmm()
    rates = {"connector": 1e-2, "llm": 1e-2}
    run(alone, [[video]], recipe(rates))
    events = run(followed, [[video], [silent], [text]], recipe(rates))
    assert [event["step"] for event in events] == [1, 3]
    after = tensors(followed)
    same = {n: torch.equal(tensor, after[n]) for n, tensor in tensors(alone).items()}
    assert all(equal for name, equal in same.items() if name.startswith("connector."))
    assert not all(equal for name, equal in same.items() if name.startswith("llm."))


def test_spikes_are_counted_so_that_a_view_which_leaves_out_their_steps_still_shows_them():
    batch = conversations(TOKENIZER, ASKED[:2])
    levels = iter([*(1 + 0.01 * (step % 3) for step in range(20)), 5.0, 1.0, 5.0, 1.0])
    model, events = lmm(), list[Event]()
    how = recipe({"connector": 0.0}, steps=24)
    train(
        modules_of(model),
        lambda micro: model.loss(micro) * 0 + next(levels) * micro.supervised,
        [[batch]] * 24,
        how,
        device=CPU,
        report=events.append,
    )
    assert [event["spike"] for event in events] == [0] * 20 + [1, 0, 1, 0]
    assert [event["spikes"] for event in events] == [0] * 20 + [1, 1, 2, 2]


def test_in_half_precision_the_loss_is_that_of_float32_to_its_digits():
    batch = conversations(TOKENIZER, ASKED)
    whole, half = (
        run(lmm(), [[batch]], replace(recipe({"llm": 1e-3}), precision=precision))[0]
        for precision in ("float32", "bfloat16")
    )
    assert half["loss"] == pytest.approx(whole["loss"], rel=5e-3)
    assert half["grad_norm"] == pytest.approx(whole["grad_norm"], rel=5e-2)


def test_warm_up_is_linear_and_then_half_a_cosine():
    factors = [schedule(step, steps=10, warmup=0.3) for step in range(10)]
    assert factors[:3] == [0.25, 0.5, 0.75]
    assert factors[3] == 1.0
    expected = [0.5 * (1 + math.cos(math.pi * i / 7)) for i in range(7)]
    assert factors[3:] == pytest.approx(expected)
    assert 0 < factors[-1] < factors[-2]


def test_without_warm_up_the_first_step_has_the_peak_rate():
    assert schedule(0, steps=5, warmup=0.0) == 1.0
    assert schedule(0, steps=1, warmup=0.0) == 1.0


def test_rates_are_reported_for_each_module_at_each_step():
    batch = conversations(TOKENIZER, ASKED[:2])
    how = recipe({"connector": 1e-3, "llm": 2e-4}, warmup=0.5)
    events = run(lmm(), [[batch]] * 4, how)
    assert [event["step"] for event in events] == [1, 2, 3, 4]
    assert {event["steps"] for event in events} == {4}
    factors = [schedule(step, steps=4, warmup=0.5) for step in range(4)]
    assert [event["lr/connector"] for event in events] == [1e-3 * f for f in factors]
    assert [event["lr/llm"] for event in events] == [2e-4 * f for f in factors]
    assert "lr/vision" not in events[0]


def test_a_loss_that_is_not_finite_stops_at_its_step_before_any_weight_changes():
    model = lmm()
    good, bad = (conversations(TOKENIZER, ASKED[:2]) for _ in range(2))
    seen: list[dict[str, Tensor]] = []

    def batches() -> Iterable[list[Batch]]:
        yield [good]
        yield [good]
        seen.append(tensors(model))
        with torch.no_grad():
            model.connector.marks.fill_(float("nan"))
        bad.source[0, 0] = -2
        yield [bad]

    with pytest.raises(Diverged, match="step 3 of 4: loss nan"):
        run(model, batches(), recipe({"llm": 1e-3}))
    after = tensors(model)
    same = (name for name in after if name != "connector.marks")
    assert all(torch.equal(seen[0][name], after[name]) for name in same)


def test_the_same_seed_gives_the_same_bits():
    rates = {"vision": 1e-3, "connector": 1e-3, "llm": 1e-3}
    results: list[dict[str, Tensor]] = []
    for seed in (0, 0, 1):
        model = lmm(seed=seed)
        run(model, [[conversations(TOKENIZER, ASKED)]] * 3, recipe(rates))
        results.append(tensors(model))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    assert any(not torch.equal(results[0][name], results[2][name]) for name in results[0])


def test_a_tiny_model_learns_to_tell_two_clips_apart():
    model = lmm()
    batch = conversations(TOKENIZER, [(1, "red"), (1, "blue")])
    rates = {"vision": 3e-3, "connector": 3e-3, "llm": 3e-3}
    events = run(model, [[batch]] * 60, recipe(rates, steps=60))
    # Both read the same words: ln 2 for one token of two is the best without looking.
    assert float(events[-1]["loss"]) < 0.5 * math.log(2) / 2
    assert float(events[0]["loss"]) > math.log(2)
