"""`apollo sync`: rebuild the MLflow view of a sweep from the store."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, KnownSweep, StorePath


def sync(
    sweep: KnownSweep,
    *,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", help="an MLflow server; else <store>/mlflow.db"),
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Bring the MLflow view up to date with the store."""
    from apollo_core.redaction import redact
    from orchestrator.doctor import require_sweep_packages
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store
    from orchestrator.tracking.tracking import sync as write
    from orchestrator.tracking.tracking_database import default_uri
    from orchestrator.tracking.tracking_uri import require_tracking_uri

    require_sweep_packages()
    require_tracking_uri(tracking_uri)
    opened = open_store(store)
    record = known_sweep(sweep, opened)
    opened.prepare()
    write(record, opened, tracking_uri)
    where = redact(tracking_uri or default_uri(opened))
    count = len(record.variants)
    told = "1 replicate is" if count == 1 else f"{count} replicates are"
    typer.echo(f"{record.name}: {told} up to date at {where}")
