"""`apollo gc`: remove stages and features that no sweep which ran in this store refers to."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath


def gc(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what would be removed, remove nothing")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Remove stages and features that no registered sweep refers to (see <store>/sweeps)."""
    from orchestrator.store.gc import orphans, remove_orphans
    from orchestrator.store.store import open_store

    opened = open_store(store)
    found = orphans(opened) if dry_run else remove_orphans(opened)
    for orphan in found:
        kind = "" if orphan.kind == "stage" else f"  {orphan.kind}"
        typer.echo(f"{orphan.key}  {orphan.bytes:>14,} bytes{kind}")
    what = "would be removed" if dry_run else "removed"
    freed = sum(orphan.bytes for orphan in found)
    features = sum(orphan.kind == "features" for orphan in found)
    stages = sum(orphan.kind == "stage" for orphan in found)
    counted = f"{stages} stage{'s' if stages != 1 else ''}"
    if features:
        counted += f" and the features of {features} encoder{'s' if features != 1 else ''}"
    typer.echo(f"{counted} {what}, {freed:,} bytes")
