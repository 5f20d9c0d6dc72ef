"""`apollo check-data`: open every media file of a manifest before a GPU is held for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import AsJson


def check_data(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="a JSONL manifest")],
    *,
    root: Annotated[Path, typer.Option("--root", help="folder that media paths start from")],
    as_json: AsJson = False,
) -> None:
    """Name every media file that is missing, empty, audio only or unreadable; exit 1 if any is."""
    from apollo_core.media.check_media import check
    from orchestrator.watching.progress import make_progress

    with make_progress().counting("media files") as count:
        report = check(manifest, root, workers=2, on_progress=count)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        for path, why in report.bad:
            typer.echo(f"{path}: {why}")
        typer.echo(f"{manifest}: {report.usable} of {report.videos + report.images} files usable")
    raise typer.Exit(1 if report.bad else 0)
