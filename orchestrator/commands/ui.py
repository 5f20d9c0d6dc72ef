"""`apollo ui`: the MLflow page of a store."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath


def ui(
    *,
    port: Annotated[int, typer.Option("--port", min=1, max=65535)] = 5000,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Show the store's sweeps in the MLflow UI, on this machine only, until Ctrl-C."""
    from orchestrator.doctor import require_sweep_packages
    from orchestrator.store.store import open_store
    from orchestrator.tracking.mlflow_ui import addresses, serve

    require_sweep_packages()
    opened = open_store(store)
    for name, address in addresses(opened, port=port).items():
        typer.echo(f"{name}: {address}  (Ctrl-C stops it)", err=True)
    raise typer.Exit(serve(opened, port=port))
