"""`apollo status`: what is done, running, waiting and failed, from the store alone."""

from __future__ import annotations

import json

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, KnownSweep, StorePath


def status(sweep: KnownSweep, *, as_json: AsJson = False, store: StorePath = DEFAULT_STORE) -> None:
    """Count done, running, waiting and failed stages, and say why the failed ones failed."""
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.status import status_document, status_lines
    from orchestrator.store.store import open_store

    opened = open_store(store)
    record = known_sweep(sweep, opened)
    if as_json:
        typer.echo(json.dumps(status_document(record, opened)))
        return
    for line in status_lines(record, opened):
        typer.echo(line)
