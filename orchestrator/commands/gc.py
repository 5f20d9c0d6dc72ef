"""`apollo gc`: remove what no sweep which ran in this store refers to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath

if TYPE_CHECKING:
    from orchestrator.store.gc import Orphan


def gc(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what would be removed, remove nothing")
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Remove stages, features and data that no registered sweep refers to (see <store>/sweeps)."""
    from orchestrator.store.gc import orphans, remove_orphans
    from orchestrator.store.store import open_store

    opened = open_store(store)
    found = orphans(opened) if dry_run else remove_orphans(opened)
    for orphan in found:
        kind = "" if orphan.kind == "stage" else f"  {orphan.kind}"
        typer.echo(f"{orphan.key}  {orphan.bytes:>14,} bytes{kind}")
    what = "would be removed" if dry_run else "removed"
    freed = sum(orphan.bytes for orphan in found)
    typer.echo(f"{_counted(found)} {what}, {freed:,} bytes")


def _counted(found: list[Orphan]) -> str:
    of = Counter(orphan.kind for orphan in found)
    counts = [f"{of['stage']} stage{_s(of['stage'])}"]
    if number := of["features"]:
        counts.append(f"the features of {number} encoder{_s(number)}")
    if number := of["data"]:
        counts.append(f"{number} folder{_s(number)} of data")
    return " and ".join(counts)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
