"""`apollo doctor`: what this installation has and lacks."""

from __future__ import annotations

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath


def doctor(*, store: StorePath = DEFAULT_STORE) -> None:
    """Look at Python, packages, processors and the store; exit 1 if sweeps cannot run here."""
    from orchestrator.doctor import findings

    found = findings(store)
    for finding in found:
        typer.echo(f"{'ok     ' if finding.good else 'missing'}  {finding.text}")
    raise typer.Exit(0 if all(finding.good for finding in found) else 1)
