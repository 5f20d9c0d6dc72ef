"""`apollo export`: a finished variant as a Hugging Face folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.option_bytes import option_bytes
from orchestrator.commands.options import DEFAULT_STORE, KnownSweep, StorePath


def export(
    sweep: KnownSweep,
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="a finished variant: DESIGN@SCALE#SEED")
    ],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new or empty folder")],
    *,
    shard_size: Annotated[
        str, typer.Option("--shard-size", help="of the largest file of weights: 500MB, 5GB, ...")
    ] = "5GB",
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write a variant, weights and all, so that transformers loads it; with a model card."""
    from orchestrator.results.export import export as write
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store

    shard = option_bytes("--shard-size", shard_size, least="1MB", most="1PB")
    opened = open_store(store)
    record = known_sweep(sweep, opened)
    target = write(record, identifier, folder, opened, sweep=sweep, shard=shard)
    typer.echo(f"{identifier}: {target}")
    typer.echo(f"Its card, with five lines that load and ask it: {target / 'README.md'}")
    typer.echo("The licence in the card's head is yours to fill.")
