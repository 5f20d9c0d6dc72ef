"""`apollo doctor`: what this installation has and lacks, and what mends it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath

_SHOWN = {"ok": "ok     ", "warning": "warning", "broken": "broken "}


def doctor(
    sweep: Annotated[
        Path | None, typer.Argument(metavar="[SWEEP]", help="look at what this sweep needs, too")
    ] = None,
    *,
    address: Annotated[
        str | None, typer.Option("--address", help="ask the nodes of this running Ray cluster")
    ] = None,
    tracking_uri: Annotated[
        str | None, typer.Option("--tracking-uri", help="the MLflow server that you will use")
    ] = None,
    start_ray: Annotated[
        bool, typer.Option("--ray/--no-ray", help="try whether Ray starts on this machine")
    ] = True,
    as_json: AsJson = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Look at all that a run stands on; exit 1 if something would break one."""
    from orchestrator.doctor import findings
    from orchestrator.spec.sweep_file import load_sweep

    wanted = load_sweep(sweep) if sweep else None
    found = []
    for finding in findings(
        store, sweep=wanted, address=address, tracking_uri=tracking_uri, start_ray=start_ray
    ):
        found.append(finding)
        if not as_json:
            typer.echo(f"{_SHOWN[finding.state]}  {finding.text}")
            if finding.mend:
                typer.echo(f"         -> {finding.mend}")
    ready = all(finding.state != "broken" for finding in found)
    if as_json:
        typer.echo(json.dumps({"ready": ready, "findings": [asdict(each) for each in found]}))
    raise typer.Exit(0 if ready else 1)
