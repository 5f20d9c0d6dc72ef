"""`apollo explain`: why variants share a stage or not."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath, SweepPath


def explain(
    sweep: SweepPath,
    first: Annotated[str, typer.Argument(metavar="ID", help="a variant: DESIGN@SCALE#SEED")],
    second: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="another, to compare with")
    ] = None,
    *,
    as_json: AsJson = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Show a variant's stages field by field, or where two variants part."""
    from rich.console import Console

    from orchestrator.plan.explain import explain_one, explain_two, show_one, show_two
    from orchestrator.plan.graph import build_plan
    from orchestrator.spec.sweep_file import load_sweep
    from orchestrator.store.store import open_store

    plan = build_plan(load_sweep(sweep), store=open_store(store).root)
    if as_json:
        document = explain_two(plan, first, second) if second else explain_one(plan, first)
        typer.echo(json.dumps(document))
    elif second:
        show_two(Console(), plan, first, second)
    else:
        show_one(Console(), plan, first)
