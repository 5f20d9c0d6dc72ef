"""The peer: plain Ray Tune grid search over a sweep's variants, as its documentation shows it.

A function trainable, one trial a variant, `MLflowLoggerCallback`. Each trial runs its variant's
whole chain by the same stage functions, in a folder of its own; nothing is shared, kept or resumed.
Pretrained parts that the given store has are taken from there, as published weights would be.

    .venv/bin/python tests/benchmarks/plain_tune.py SWEEP FOLDER --cpus 2
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path
from typing import Any

from orchestrator.engine.attempt import core_stage
from orchestrator.engine.frontier import Frontier
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.engine.task import task_of
from orchestrator.plan.graph import build_plan
from orchestrator.plan.plan import Plan
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.store import Store


def main() -> None:
    """Run the grid to its end."""
    parser = argparse.ArgumentParser(description="Run a sweep's variants by plain Ray Tune.")
    parser.add_argument("sweep", type=Path)
    parser.add_argument("folder", type=Path, help="a store with the sweep's data and parts")
    parser.add_argument("--cpus", type=int, default=2)
    told = parser.parse_args()
    run_grid(told.sweep.absolute(), told.folder.absolute(), cpus=told.cpus)


def run_grid(sweep: Path, folder: Path, *, cpus: int) -> None:
    """Run every variant of a sweep as a trial of its own.

    Args:
        sweep: the sweep file.
        folder: of a store with the generated data and pretrained parts; results go beside it.
        cpus: of the machine, one a trial.

    Raises:
        RuntimeError: a trial failed.
    """
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    plan = build_plan(load_sweep(sweep), store=folder)
    parts = Store(folder)
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, log_to_driver=False)

    def whole_chain(config: dict[str, Any]) -> None:
        tune.report({"stages": run_variant(plan, config["variant"], Path.cwd(), parts)})

    results = tune.Tuner(
        tune.with_resources(whole_chain, {"cpu": 1}),
        param_space={"variant": tune.grid_search([variant.id for variant in plan.variants])},
        run_config=tune.RunConfig(
            name="plain",
            storage_path=str(folder.parent / "plain-tune"),
            verbose=0,
            callbacks=[
                MLflowLoggerCallback(
                    tracking_uri=f"sqlite:///{folder.parent / 'plain.db'}", experiment_name="plain"
                )
            ],
        ),
    ).fit()
    ray.shutdown()
    if results.errors:
        raise RuntimeError(f"{len(results.errors)} trials failed: {results.errors[0]}")


def run_variant(plan: Plan, variant: str, folder: Path, parts: Store) -> int:
    """All stages of one variant, one after another, with no result of another's; how many ran."""
    store = Store(folder / "store")
    store.prepare()
    keys = plan.variant(variant).stages
    for key in filter(parts.is_done, keys):
        shutil.copytree(parts.stage_folder(key), store.stage_folder(key))
    tasks = [
        task_of(plan.stages[key], plan, store, seconds=0.0)
        for key in keys
        if not parts.is_done(key)
    ]
    failed: list[str] = []

    def take(outcome: Any) -> None:
        if outcome.status != "done":
            failed.append(outcome.message)

    LocalEngine().run(Frontier(tasks), run_stage=core_stage, on_outcome=take)
    if failed:
        raise RuntimeError(failed[0])
    return len(tasks)


if __name__ == "__main__":
    main()
