"""What keeping frozen encoders' features saves: stages of a sweep, online, cold and warm in turns.

    python tests/benchmarks/kept_features.py [SWEEP] [--rounds N] [--variant ID] [--store DIR]

The stages of one replicate are run in a store of their own (or in the one given), so that those
before a stage are there. Then each of its stages with frozen encoders is run again and again, in
turns: without features (`online`), with an empty folder of features (`cold`), and with what that
has left (`warm`). Decoded frames are kept in memory meanwhile, as in a warm worker, so that
`online` decodes nothing. The medians are compared, and the files that the three ways leave must be
equal to the byte.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from apollo_core.features.feature_cache import FeatureCache
from apollo_core.features.feature_use import FeatureUse
from apollo_core.stages.context import StageContext
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

WAYS = ("online", "cold", "warm")


def main() -> None:
    """Run and print."""
    asked = _arguments()
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
        flops = plan_flops(plan)
        kept = plan_features(plan, measure_speeds(plan, flops, store=store.root))
        print(f"{variant.id}; seconds, median of {asked.rounds}")
        print(f"{'stage':<12}{''.join(f'{way:>9}' for way in WAYS)}   online / warm  hits")
        for key in variant.stages:
            if key in kept.uses:
                _compare(
                    plan.stages[key],
                    kept.use(f"{folder}/features")[key],
                    plan=plan,
                    store=store,
                    rounds=asked.rounds,
                )


def _compare(node: StageNode, use: FeatureUse, *, plan: Plan, store: Store, rounds: int) -> None:
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    left: set[str] = set()
    hits = 0.0
    _run(node, None, plan, store)  # imports, decoded frames
    for _ in range(rounds):
        shutil.rmtree(use.folder, ignore_errors=True)
        for way in WAYS:
            cache = None if way == "online" else FeatureCache(use)
            began = time.perf_counter()
            left.add(_run(node, cache, plan, store))
            seconds[way].append(time.perf_counter() - began)
            if cache is not None:
                hits = cache.hits / (cache.hits + cache.misses)
    assert len(left) == 1, f"{node.label}: what a stage leaves depends on kept features"
    found = {way: median(times) for way, times in seconds.items()}
    columns = "".join(f"{found[way]:>9.2f}" for way in WAYS)
    ratio = found["online"] / found["warm"]
    print(f"{node.label:<12}{columns}   {ratio:>13.2f}  {hits:.0%}", flush=True)


def _run(node: StageNode, cache: FeatureCache | None, plan: Plan, store: Store) -> str:
    """Run a stage; a digest of the files that it leaves."""
    with tempfile.TemporaryDirectory() as folder:
        context = StageContext(
            out=Path(folder),
            parents={role: store.result(key) for role, key in node.parents.items()},
            chain=store.chain(node.parents.get("previous")),
            locations=node.locations,
            media_root=plan.media_root,
            execution=plan.sweep.execution.execution,
            report=_unheard,
            features=cache,
        )
        run_stage(node.identity, context)
        digest = hashlib.sha256()
        for path in sorted(Path(folder).iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def _unheard(_: Mapping[str, object]) -> None:
    """Nobody watches."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sweep", type=Path, nargs="?", default=Path("sweeps/demo.yaml"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variant", help="id of a replicate; absent = the first")
    parser.add_argument("--store", type=Path, help="keeps what is run once; absent = a passing one")
    return parser.parse_args()


if __name__ == "__main__":
    main()
