"""`apollo status`: what is done, running, waiting and failed, from the store alone."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, KnownSweep, StorePath


def status(
    sweep: KnownSweep,
    *,
    as_json: AsJson = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="keep showing it until the sweep is over, or Ctrl-C")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Count done, running, waiting and failed stages, and say why the failed ones failed."""
    from apollo_core.errors import BadInput
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.status import status_document
    from orchestrator.store.store import open_store

    if as_json and watch:
        raise BadInput("status: --json prints one document, --watch goes on; give one of them")
    opened = open_store(store)
    record = known_sweep(sweep, opened)
    if as_json:
        typer.echo(json.dumps(status_document(record, opened)))
        return
    from orchestrator.watching.status import show_status, watch_status

    (watch_status if watch else show_status)(record, opened)
