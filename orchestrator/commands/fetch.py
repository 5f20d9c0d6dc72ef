"""`apollo fetch`: download and pin what a sweep starts from."""

from __future__ import annotations

import json

import typer

from apollo_core.errors import DataMissing
from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath, SweepPath


def fetch(sweep: SweepPath, *, as_json: AsJson = False, store: StorePath = DEFAULT_STORE) -> None:
    """Download the weights that a sweep names, and print the lines that pin them to commits.

    Of data in an object store it brings the manifests, so that `plan` knows the stages' keys.
    """
    from orchestrator import fetching
    from orchestrator.remote_data import bring_manifests
    from orchestrator.spec.sweep_file import load_sweep
    from orchestrator.store.store import open_store

    wanted = load_sweep(sweep)
    mirror = bring_manifests(wanted, open_store(store).root)
    found: list[dict[str, object]] = []
    commits: dict[str, str] = {}
    for source, names in fetching.hub_sources(wanted).items():
        entry: dict[str, object] = {"source": source.id, "revision": source.revision}
        entry["names"] = list(names)
        try:
            commit, folder = fetching.fetch(source)
        except DataMissing as error:
            entry["error"] = str(error)
            typer.echo(f"failed   {error}", err=True)
        else:
            entry |= {"commit": commit, "folder": str(folder)}
            commits |= dict.fromkeys(names, commit)
            typer.echo(f"fetched  {source.id}@{commit}  ({folder})", err=True)
        found.append(entry)
    lines = fetching.pins(wanted, commits)
    failed = sum("error" in entry for entry in found)
    if as_json:
        data = str(mirror) if mirror else None
        typer.echo(json.dumps({"weights": found, "pins": lines, "manifests": data}))
    else:
        _tell(lines, str(sweep), failed=failed, nothing=not found and mirror is None)
    if failed:
        said = f"{failed} of {len(found)} repositories could not be fetched"
        typer.echo(f"{said}; the same command goes on", err=True)
    raise typer.Exit(1 if failed else 0)


def _tell(lines: list[str], sweep: str, *, failed: int, nothing: bool) -> None:
    if nothing:
        typer.echo("Nothing to fetch: this sweep names no repository on the hub.")
    elif lines:
        typer.echo(f"# Put into {sweep}, so that it starts from these weights on every machine:")
        for line in lines:
            typer.echo(line)
    elif not failed:
        typer.echo("Everything is here; every repository is pinned to a commit.")
