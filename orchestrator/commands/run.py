"""`apollo run`: run what is not done; running again is resuming."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.clean_stop import stop_cleanly
from orchestrator.commands.gpu_memory import GpuMemory, gpu_bytes
from orchestrator.commands.options import (
    DEFAULT_STORE,
    Address,
    Engine,
    RetryFailed,
    Ship,
    StorePath,
    SweepPath,
)

# A script may start the cluster's head just before the run.
_RAY_STARTS_WITHIN = 20.0


def run(
    sweep: SweepPath,
    *,
    address: Address = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", help="an MLflow server; else <store>/mlflow.db"),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="this replicate; repeatable")
    ] = None,
    retry_failed: RetryFailed = False,
    ship: Ship = True,
    engine: Engine = "ray",
    notify: Annotated[
        str | None,
        typer.Option(
            "--notify",
            metavar="URL",
            envvar="APOLLO_WEBHOOK",
            show_envvar=True,
            help="POST a message there when a stage is given up and at the end, good or bad",
        ),
    ] = None,
    gpu_memory: GpuMemory = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Run every stage that is not done. Stopped or killed, run the same again to go on."""
    from orchestrator.checkup.ray_address import require_ray
    from orchestrator.cost.cost import plan_cost, plan_flops
    from orchestrator.cost.feature_bytes import plan_features
    from orchestrator.cost.planned_memory import plan_memory
    from orchestrator.cost.speeds import measure_speeds
    from orchestrator.doctor import require_sweep_packages
    from orchestrator.engine.local_engine import LocalEngine
    from orchestrator.engine.ray.ray_engine import RayEngine
    from orchestrator.plan.graph import build_plan
    from orchestrator.remote_data import bring_manifests
    from orchestrator.run import RunOptions, run_sweep
    from orchestrator.run_summary import summary_lines
    from orchestrator.spec.sweep_file import load_sweep
    from orchestrator.store.store import open_store
    from orchestrator.store.sweep_record import record_of
    from orchestrator.tracking.run_tracking import RunTracking
    from orchestrator.tracking.tracking_uri import require_tracking_uri
    from orchestrator.watching.notices import Notices
    from orchestrator.watching.progress import make_progress

    require_sweep_packages()
    require_tracking_uri(tracking_uri)
    wanted = load_sweep(sweep)
    device = gpu_bytes(gpu_memory, here=address is None)
    if address is not None:
        require_ray(address, patience=_RAY_STARTS_WITHIN)
    opened = open_store(store)
    bring_manifests(wanted, opened.root)
    plan = build_plan(wanted, store=opened.root)
    flops = plan_flops(plan)
    speeds = measure_speeds(plan, flops, store=opened.root)
    cost = plan_cost(plan, flops, speeds)
    features = plan_features(plan, speeds)
    notices = Notices(record_of(plan), notify)
    progress = make_progress(on_ended=notices.take)
    stop_cleanly()
    tracking = RunTracking(opened, tracking_uri, warn=progress.warn)
    try:
        summary = run_sweep(
            plan,
            opened,
            source=sweep.read_text(encoding="utf-8"),
            engine=LocalEngine() if engine == "local" else RayEngine(address=address, ship=ship),
            options=RunOptions(
                only=tuple(only or ()),
                retry_failed=retry_failed,
                seconds={key: stage.seconds for key, stage in cost.stages.items()},
                flops=flops,
                features=features.use(str(opened.features)),
                memory=plan_memory(plan, device=device),
                one_at_a_time=engine == "local",
            ),
            progress=progress,
            on_start=tracking.start,
        )
        notices.end(summary)
    except KeyboardInterrupt:
        notices.stopped()
        progress.say("Stopped. Finished stages are kept; run the same command again to go on.")
        raise typer.Exit(1) from None
    except Exception as error:
        notices.broken(error)
        raise
    finally:
        behind = tracking.close()
        if behind:
            progress.warn(behind)
        if unheard := notices.close():
            progress.warn(unheard)
    for line in summary_lines(summary, record_of(plan)):
        progress.say(line)
    raise typer.Exit(summary.exit_code)
