"""A diverged training is given up at once; its variant is missing by name, and in no average."""

import json
import math
from dataclasses import dataclass
from itertools import count

import pytest
import torch
from tiny_study import Study, digests

from analysis.table.options import TableOptions
from analysis.table.table import load_table
from apollo_core.errors import Diverged
from apollo_core.stages import assembly
from apollo_core.stages import train as train_stage
from apollo_core.training.loop import Extras, Recipe, train
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.results.score_table import write_scores
from orchestrator.run import RunOptions, run_sweep
from orchestrator.run_summary import summary_lines
from orchestrator.store.status import status_document
from orchestrator.store.sweep_record import record_of
from orchestrator.watching.progress import make_progress

LOST = "integration=plain@xs#0"


@pytest.fixture
def study(undisturbed, tmp_path) -> Study:
    """All done but the second stage of both variants."""
    study = undisturbed.copy(tmp_path)
    study.forget("sft", "evaluate")
    return study


def run(study: Study, *, retry_failed: bool = False):
    return run_sweep(
        study.plan(),
        study.store,
        source=study.file.read_text(),
        engine=LocalEngine(),
        options=RunOptions(retry_failed=retry_failed),
        progress=make_progress(),
    )


@pytest.fixture
def broken(monkeypatch):
    """Weights that give no number, in the designs that say so."""
    whole = assembly.assemble
    state = {"broken": True}

    def poisoned(model, seed, context):
        built, tokenizer = whole(model, seed, context)
        if state["broken"] and model.integration == "plain":
            next(built.llm.parameters()).data.fill_(float("nan"))
        return built, tokenizer

    monkeypatch.setattr(train_stage, "assemble", poisoned)
    return state


def test_a_loss_that_is_no_number_loses_one_variant_which_is_named_everywhere(
    study, undisturbed, tmp_path, broken
):
    summary = run(study)
    record = record_of(study.plan())
    (failed,) = summary.failed
    assert (failed.failure_class, summary.exit_code) == ("diverged", 1)
    assert len(study.store.failures(failed.key)) == 1, "the same again would diverge again"

    said = "\n".join(summary_lines(summary, record))
    assert f"no scores for {LOST}" in said
    assert "--retry-failed" in said
    status = json.dumps(status_document(record, study.store))
    assert json.loads(status)["failures"][0]["variants"] == [LOST]

    table = tmp_path / "scores.csv"
    write_scores(record, study.store, table)
    assert {cell.design for cell in load_table(table, TableOptions()).missing} == {LOST[:-5]}
    scores = {(row["design"], row["metric"]): row["score"] for row in study.scores()}
    before = {(row["design"], row["metric"]): row["score"] for row in undisturbed.scores()}
    assert {score for (design, _), score in scores.items() if design != "base"} == {None}
    for place, score in scores.items():
        assert place[0] != "base" or score == before[place]

    # Without being asked, the stage is left alone; asked after the cause is mended, it ends well.
    assert [outcome.ran for outcome in run(study).failed] == [False]
    broken["broken"] = False
    assert run(study, retry_failed=True).exit_code == 0
    assert study.scores() == undisturbed.scores()
    for key in study.keys("sft"):
        assert digests(study.store.result(key)) == digests(undisturbed.store.result(key))


def corrupted(built):
    """A weight that is wrong from the second step on, and no number from the fourth."""
    steps = count(1)

    def harm(model, args, kwargs):
        weight = next(model.parameters())
        # A step's first micro-batch finds no gradient.
        if model.training and weight.grad is None:
            match next(steps):
                case 2:
                    weight.data.mul_(5)
                case 4:
                    weight.data.fill_(float("nan"))

    built.llm.register_forward_pre_hook(harm, with_kwargs=True)


def test_a_stage_that_diverged_goes_on_from_none_of_its_checkpoints(
    study, undisturbed, monkeypatch
):
    whole, harms = train_stage.assemble, [corrupted]

    def assembled(model, seed, context):
        built, tokenizer = whole(model, seed, context)
        if model.integration == "plain":
            for harm in harms:
                harm(built)
        return built, tokenizer

    monkeypatch.setattr(train_stage, "assemble", assembled)
    study = Study(study.folder, '{workers: 0, packing: "off", checkpoint_minutes: 1.0e-9}')
    (failed,) = run(study).failed
    assert failed.failure_class == "diverged"
    assert failed.message.startswith("step 4 of 4"), "no checkpoint was kept before"
    assert not study.store.checkpoints_folder(failed.key).exists()

    harms.clear()
    assert run(study, retry_failed=True).exit_code == 0
    assert not any(event.get("resumed_after") for event in study.store.metrics(failed.key))
    assert study.scores() == undisturbed.scores()
    for key in study.keys("sft"):
        assert digests(study.store.result(key)) == digests(undisturbed.store.result(key))


@dataclass(frozen=True)
class Points:
    """Points whose sum is to be learned."""

    x: torch.Tensor

    @property
    def supervised(self) -> int:
        return len(self.x)

    def to(self, device: torch.device) -> "Points":
        return self


def learn(rate: float, *, lost_above: float | None) -> list[float]:
    """Losses of 200 steps of AdamW on a sum of four numbers."""
    model = torch.nn.Linear(4, 1)
    torch.nn.init.constant_(model.weight, 0.5)
    generator = torch.Generator().manual_seed(0)
    batches = ([Points(torch.randn(32, 4, generator=generator))] for _ in range(200))
    found: list[float] = []
    train(
        {"llm": model},
        lambda points: (model(points.x) - points.x.sum(1, keepdim=True)).square().sum(),
        batches,
        Recipe({"llm": rate}, 200, 0.5, 0.0, 1.0, "float32"),
        device=torch.device("cpu"),
        report=lambda event: found.append(float(event["loss"])),
        extras=Extras(lost_above=lost_above),
    )
    return found


def test_a_finite_loss_that_leaves_all_bounds_is_given_up_where_that_is_asked_for():
    assert all(map(math.isfinite, learn(10.0, lost_above=None)))
    with pytest.raises(Diverged, match=r"more than 3 times .* \(execution.diverged_above\)"):
        learn(10.0, lost_above=3)
    assert len(learn(1e-2, lost_above=3)) == 200
