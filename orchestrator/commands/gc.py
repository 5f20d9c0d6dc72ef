"""`apollo gc`: remove what no sweep of this store refers to."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath

if TYPE_CHECKING:
    from orchestrator.store.gc import Orphan
    from orchestrator.store.sweep_versions import Version


_MORE = "`apollo gc --older-versions` removes these too"


def gc(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="list what no sweep refers to, remove nothing")
    ] = False,
    older_versions: Annotated[
        bool,
        typer.Option(
            "--older-versions", help="remove what only older versions of a sweep refer to, too"
        ),
    ] = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Remove stages, features and data that no sweep refers to (see <store>/sweeps).

    A sweep is what ran last under its name. What only older versions of it refer to is listed, and
    removed with --older-versions alone.
    """
    from apollo_core.errors import BadInput
    from orchestrator.store.gc import orphans, remove_orphans
    from orchestrator.store.references import references
    from orchestrator.store.store import open_store

    opened = open_store(store)
    if not opened.is_there:
        raise BadInput(
            f"store {opened.root}: no store is there; choose the folder of one with --store or "
            "$APOLLO_STORE"
        )
    sweeps = references(opened)
    for name in sweeps.running:
        typer.echo(f"{name} is being run: all its versions are kept", err=True)
    found = orphans(opened, sweeps)
    asked = [each for each in found if older_versions or each.older is None]
    if not dry_run:
        asked = remove_orphans(opened, asked)
    shown = found if dry_run else asked
    for version, of_it in _by_version(shown):
        _tell(version, of_it)
    what = "would be removed" if dry_run else "removed"
    typer.echo(f"{_counted(asked)} {what}, {_bytes(asked)}")
    if kept := [each for each in found if each.older is not None and not older_versions]:
        typer.echo(f"{_counted(kept)} of older versions kept, {_bytes(kept)}; {_MORE}")


def _by_version(found: list[Orphan]) -> list[tuple[Version | None, list[Orphan]]]:
    """What no version refers to first, then that of each older version, the latest first."""
    places: dict[str, list[Orphan]] = {}
    for each in found:
        places.setdefault(each.older.place if each.older else "", []).append(each)
    groups = [(of_it[0].older, of_it) for of_it in places.values()]
    return sorted(groups, key=lambda group: -group[0].ran if group[0] else -math.inf)


def _tell(version: Version | None, found: list[Orphan]) -> None:
    if version is not None:
        when = datetime.fromtimestamp(version.ran).strftime("%Y-%m-%d %H:%M")
        typer.echo(f"No longer in {version.record.name}, but in {version.place}, last run {when}:")
    for each in found:
        label = version.record.label(each.key) if version and each.kind == "stage" else ""
        what = label or ("" if each.kind == "stage" else each.kind)
        typer.echo(f"{each.key}  {each.bytes:>14,} bytes  {what}".rstrip())


def _bytes(found: list[Orphan]) -> str:
    return f"{sum(each.bytes for each in found):,} bytes"


def _counted(found: list[Orphan]) -> str:
    of = Counter(each.kind for each in found)
    counts = [f"{of['stage']} stage{_s(of['stage'])}"]
    if number := of["features"]:
        counts.append(f"the features of {number} encoder{_s(number)}")
    if number := of["data"]:
        counts.append(f"{number} folder{_s(number)} of data")
    return " and ".join(counts)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
