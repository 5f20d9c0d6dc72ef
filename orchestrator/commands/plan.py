"""`apollo plan`: what a sweep would run and cost; reads only."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.gpu_memory import GpuMemory, gpu_bytes
from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath, SweepPath

if TYPE_CHECKING:
    from orchestrator.plan.plan import Plan


def plan(
    sweep: SweepPath,
    *,
    as_json: AsJson = False,
    against: Annotated[
        Path | None, typer.Option("--against", help="an older file: show what would run again")
    ] = None,
    store: StorePath = DEFAULT_STORE,
    gpu_tflops: Annotated[
        float | None,
        typer.Option(
            "--gpu-tflops",
            min=0.001,
            max=1_000_000,
            help="what one of your GPUs reaches in training",
        ),
    ] = None,
    utilisation: Annotated[
        float | None,
        typer.Option(
            "--utilisation",
            min=0.001,
            max=1.0,
            help="share of a GPU's peak that training reaches; --gpu-tflops is then the peak",
        ),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(
            "--gpus",
            min=1,
            max=1_000_000,
            help="of your cluster: how long the sweep takes at least",
        ),
    ] = None,
    gpu_memory: GpuMemory = None,
    decode_ms: Annotated[
        float | None,
        typer.Option(
            "--decode-ms",
            min=0.001,
            max=1_000_000,
            help="that a processor takes to decode a frame",
        ),
    ] = None,
) -> None:
    """Show variants, stages, what is shared and what it costs; touches nothing."""
    from orchestrator.cost.cost import plan_cost, plan_flops
    from orchestrator.cost.decoding import plan_decoding
    from orchestrator.cost.feature_bytes import plan_features
    from orchestrator.cost.planned_memory import plan_memory
    from orchestrator.cost.speeds import measure_speeds
    from orchestrator.plan.graph import build_plan
    from orchestrator.plan.plan_json import features_document, plan_document
    from orchestrator.spec.sweep_file import load_sweep
    from orchestrator.store.store import open_store

    device = gpu_bytes(gpu_memory, here=False)
    opened = open_store(store)
    root = opened.root
    planned = build_plan(load_sweep(sweep), store=root)
    done = {key for key in planned.stages if opened.is_done(key)}
    before = build_plan(load_sweep(against), store=root) if against else None
    flops = plan_flops(planned)
    speeds = measure_speeds(
        planned, flops, store=root, gpu_tflops=gpu_tflops, utilisation=utilisation
    )
    cost = plan_cost(planned, flops, speeds)
    memory = plan_memory(planned, device=device)
    features = plan_features(planned, speeds)
    frame = None if decode_ms is None else decode_ms / 1000
    decoding = plan_decoding(planned, features.uses, store=root, frame=frame)
    if as_json:
        document = plan_document(
            planned, cost, memory, device=device, gpus=gpus, decoding=decoding, done=done
        )
        document["features"] = features_document(features)
        if before is not None:
            document["against"] = _changes(before, planned, done)
        typer.echo(json.dumps(document))
        return
    from rich.console import Console

    from orchestrator.cost.what_is_left import what_is_left
    from orchestrator.plan.changes_view import show_changes
    from orchestrator.plan.cost_view import left_line
    from orchestrator.plan.features_view import show_features
    from orchestrator.plan.plan_changes import plan_changes
    from orchestrator.plan.plan_view import show_plan

    console = Console()
    show_plan(console, planned, cost, memory, device=device, gpus=gpus, decoding=decoding)
    show_features(console, features)
    if opened.is_there:
        left = what_is_left(planned, cost, done)
        console.print(left_line(left, cost, root), highlight=False, soft_wrap=True)
    if before is not None:
        both = (*before.stages.values(), *planned.stages.values())
        places = {name: place for node in both for name, place in node.locations.items()}
        show_changes(console, plan_changes(before, planned), cost, places, done=done)


def _changes(before: Plan, after: Plan, done: Collection[str]) -> dict[str, object]:
    from orchestrator.plan.plan_changes import plan_changes

    changes = plan_changes(before, after)
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "kept": changes.kept,
        "to_run": [key for key in changes.new if key not in done],
        "reruns": [
            {
                "step": rerun.step,
                "keys": list(rerun.keys),
                "because": [
                    {"field": each.field, "values": [each.first, each.second]}
                    for each in rerun.because
                ],
            }
            for rerun in changes.reruns
        ],
    }
