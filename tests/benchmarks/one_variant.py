"""A replicate whose stages have been run, so that each of them can be run again by itself."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from apollo_core.features.feature_cache import FeatureCache
from apollo_core.features.feature_use import FeatureUse
from apollo_core.stages.context import Event, StageContext
from apollo_core.stages.run import run_stage
from orchestrator.cost.cost import plan_flops
from orchestrator.cost.feature_bytes import plan_features
from orchestrator.cost.speeds import measure_speeds
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan, StageNode
from orchestrator.run import RunOptions, run_sweep
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store
from orchestrator.watching.progress import make_progress


@dataclass(frozen=True)
class RunVariant:
    """A replicate that was run.

    Attributes:
        nodes: its stages, the first one first.
        uses: stage key -> where its features would be kept; absent where they are not.
    """

    id: str
    nodes: tuple[StageNode, ...]
    uses: Mapping[str, FeatureUse]
    plan: Plan
    store: Store

    def again(
        self,
        node: StageNode,
        out: Path,
        *,
        features: FeatureCache | None,
        report: Callable[[Event], None],
    ) -> None:
        """Run one of the stages once more, in this process, into an empty folder."""
        run_stage(
            node.identity,
            StageContext(
                out=out,
                parents={role: self.store.result(key) for role, key in node.parents.items()},
                chain=self.store.chain(node.parents.get("previous")),
                locations=node.locations,
                media_root=self.plan.media_root,
                execution=self.plan.sweep.execution.execution,
                report=report,
                features=features,
            ),
        )


@contextmanager
def run_variant(asked: argparse.Namespace) -> Iterator[RunVariant]:
    """Run the replicate that the command line names, where it has not been."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store((asked.store or Path(folder) / "store").absolute())
        plan = build_plan(load_sweep(asked.sweep), store=store.root)
        variant = plan.variant(asked.variant or plan.variants[0].id)
        run_sweep(
            plan,
            store,
            source=asked.sweep.read_text(encoding="utf-8"),
            engine=LocalEngine(),
            options=RunOptions(only=(variant.id,), one_at_a_time=True),
            progress=make_progress(),
        )
        kept = plan_features(plan, measure_speeds(plan, plan_flops(plan), store=store.root))
        yield RunVariant(
            variant.id,
            tuple(plan.stages[key] for key in variant.stages),
            kept.use(f"{folder}/features"),
            plan,
            store,
        )


def variant_parser(about: str | None) -> argparse.ArgumentParser:
    """The options by which a replicate is named."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("sweep", type=Path, nargs="?", default=Path("sweeps/demo.yaml"))
    parser.add_argument("--variant", help="id of a replicate; absent = the first")
    parser.add_argument("--store", type=Path, help="keeps what is run once; absent = a passing one")
    return parser
