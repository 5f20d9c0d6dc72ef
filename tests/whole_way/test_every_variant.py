"""Each variant of the shipped sweeps, at micro size: built, fed and trained, stage after stage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from micro_sweeps import designs, micro_plan, scales
from torch import Tensor, nn

from apollo_core.execution import Execution
from apollo_core.microworld.world import generate
from apollo_core.stages import train as train_stage
from apollo_core.stages.assembly import modules_of
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.identity import TrainIdentity
from apollo_core.stages.run import run_stage
from orchestrator.plan.plan import Plan

pytestmark = pytest.mark.slow

ROWS = [
    (name, design, scale)
    for name in ("apollo84", "beyond")
    for design in designs(name)
    for scale in scales(name)
]


@dataclass
class Observed:
    """A stage that ran.

    Attributes:
        events: what it reported.
        changed: names of the tensors that changed, by module.
        parameters: names of all that could have, by module.
    """

    events: list[Event] = field(default_factory=list)
    changed: dict[str, set[str]] = field(default_factory=dict)
    parameters: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Runner:
    """Runs the stages of a plan, each once, as a worker runs them."""

    plan: Plan
    folder: Path
    done: dict[str, Observed] = field(default_factory=dict)

    def result(self, key: str) -> Path:
        return self.folder / key

    def run(self, key: str) -> Observed:
        """Run a stage and all before it; what was seen of it."""
        if key in self.done:
            return self.done[key]
        node = self.plan.stages[key]
        for parent in node.parents.values():
            self.run(parent)
        self.result(key).mkdir(parents=True)
        seen = Observed()
        context = StageContext(
            out=self.result(key),
            parents={role: self.result(parent) for role, parent in node.parents.items()},
            chain=tuple(self.result(each) for each in self.plan.chain(key)),
            locations=node.locations,
            media_root=self.plan.media_root,
            execution=Execution(workers=0),
            report=seen.events.append,
        )
        with watched(seen):
            run_stage(node.identity, context)
        self.done[key] = seen
        return seen


@contextmanager
def watched(seen: Observed) -> Iterator[None]:
    """Note what the stage inside does to the tensors of the model that it builds."""
    built: list[tuple[str, nn.Module, dict[str, Tensor]]] = []

    def assemble(*arguments, **options):
        model, tokenizer = real(*arguments, **options)
        for name, module in modules_of(model).items():
            before = {at: tensor.detach().clone() for at, tensor in tensors(module).items()}
            built.append((name, module, before))
        return model, tokenizer

    with pytest.MonkeyPatch.context() as patch:
        real = train_stage.assemble  # it is the real one that builds: this only looks
        patch.setattr(train_stage, "assemble", assemble)
        yield
    for name, module, before in built:
        after = tensors(module)
        seen.changed[name] = {at for at in after if not torch.equal(after[at], before[at])}
        seen.parameters[name] = {at for at, _ in module.named_parameters()}


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers; what two names share, once."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def out_of_reach(identity: TrainIdentity, name: str) -> bool:
    """Whether nothing in this stage's data leads to a parameter of the connector."""
    only_videos = len(identity.data) == 1
    return (name == "marks" and "separators" not in identity.model.integration) or (
        name.startswith("stills.") and only_videos
    )


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Runner]:
    found: dict[str, Runner] = {}
    for name in ("apollo84", "beyond"):
        folder = tmp_path_factory.mktemp(name)
        plan = micro_plan(name, folder)
        assert plan.world is not None
        generate(plan.world, plan.media_root)
        found[name] = Runner(plan, folder / "stages")
    return found


@pytest.mark.parametrize(("name", "design", "scale"), ROWS)
def test_a_variant_learns_in_each_of_its_stages_and_only_where_the_schedule_says(
    runners, name, design, scale
):
    runner = runners[name]
    variant = runner.plan.variant(f"{design}@{scale}#0")
    for key in variant.steps.values():
        identity = runner.plan.stages[key].identity
        seen = runner.run(key)
        assert seen.events
        assert all(math.isfinite(event["loss"]) for event in seen.events)
        if not isinstance(identity, TrainIdentity):
            continue
        for module, names in seen.parameters.items():
            expected = names if module in identity.lr.trained() else set()
            assert seen.changed[module] == {
                at for at in expected if module != "connector" or not out_of_reach(identity, at)
            }


def test_all_84_variants_of_the_study_are_among_them(runners):
    plan = runners["apollo84"].plan
    ids = {f"{design}@{scale}#0" for name, design, scale in ROWS if name == "apollo84"}
    assert ids == {variant.id for variant in plan.variants}
    assert len(ids) == 84
