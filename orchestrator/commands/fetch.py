"""`apollo fetch`: download and pin what a sweep starts from."""

from __future__ import annotations

import typer

from apollo_core.errors import DataMissing
from orchestrator.commands.options import SweepPath


def fetch(sweep: SweepPath) -> None:
    """Download the weights that a sweep names, and print the commit to pin each of them to."""
    from orchestrator import fetching
    from orchestrator.spec.sweep_file import load_sweep

    failed = 0
    sources = fetching.hub_sources(load_sweep(sweep))
    for source in sources:
        try:
            commit, folder = fetching.fetch(source)
        except DataMissing as error:
            failed += 1
            typer.echo(f"failed   {error}", err=True)
        else:
            typer.echo(f"fetched  {source.id}  revision: {commit}  ({folder})")
    if not sources:
        typer.echo("Nothing to fetch: this sweep names no repository on the hub.")
    raise typer.Exit(1 if failed else 0)
