"""`apollo check-data`: look at all data before a GPU is held for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, AsJson, StorePath

if TYPE_CHECKING:
    from orchestrator.data_check.checking import Checked

_SAID = 20


def check_data(
    manifests: Annotated[
        list[Path],
        typer.Argument(
            metavar="MANIFEST...|SWEEP",
            help="training sets and benchmarks, from here or else from --root; or a sweep file",
        ),
    ],
    *,
    root: Annotated[
        Path | None, typer.Option("--root", help="folder that media paths start from")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="folder for report and exclusion list"),
    ] = None,
    design: Annotated[
        str | None,
        typer.Option(metavar="SWEEP[:VARIANT]", help="count tokens as this design has them"),
    ] = None,
    min_seconds: Annotated[
        float | None, typer.Option(help="videos under this are too short", min=0)
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(help="videos over this are too long", min=0)
    ] = None,
    duplicates: Annotated[
        bool, typer.Option(help="compare media of equal size byte by byte")
    ] = True,
    workers: Annotated[int, typer.Option(help="processes that read headers", min=1, max=256)] = 2,
    as_json: AsJson = False,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Name all that is missing, empty, audio only, unreadable, too short or too long.

    Exit 1 if there is any that a sweep's `data.exclude` does not leave out already. With --out: a
    page with pictures, and a list for `data.exclude`.
    """
    from apollo_core.errors import BadInput
    from orchestrator.data_check.checking import Asked, check_sources
    from orchestrator.data_check.findings import Limits
    from orchestrator.data_check.page import prepare_folder, write_report
    from orchestrator.data_check.sources import sources_of
    from orchestrator.watching.progress import make_progress

    if min_seconds is not None and max_seconds is not None and min_seconds > max_seconds:
        raise BadInput(
            f"--min-seconds: {min_seconds:g} is over --max-seconds {max_seconds:g}; "
            "every video would be left out"
        )
    rule = None
    if design is not None:  # imported here: tokenizers take seconds to load
        from orchestrator.data_check.token_lengths import token_rule

        rule = token_rule(design, store)
    sources = sources_of(manifests, root, store)
    if out is not None:
        prepare_folder(out)
    asked = Asked(Limits(min_seconds, max_seconds), duplicates, workers, rule)
    checked = check_sources(sources, asked, make_progress().counting)
    # Said before it is written: what took hours to find out is not to be lost with a disk.
    if as_json:
        typer.echo(json.dumps(checked.as_dict()))
    else:
        _tell(checked)
    if out is not None:
        excluded = write_report(checked, out)
        if not as_json:
            typer.echo(f"{out / 'report.html'}; {out / 'excluded.jsonl'} has {excluded} lines")
    raise typer.Exit(0 if checked.is_clean else 1)


def _tell(checked: Checked) -> None:
    found = checked.found
    for path, why in list(found.bad.items())[:_SAID]:
        _say(f"{path}: {why}")
    if len(found.bad) > _SAID:
        _say(f"... and {len(found.bad) - _SAID} more")
    for path, (header, packets) in list(found.lies.items())[:_SAID]:
        _say(f"{path}: its header says {header:.2f} s, its packets {packets:.2f}")
    if checked.duplicates:
        count = len(checked.duplicates)
        _say(f"{count} group{'s' * (count > 1)} of media with the same bytes")
    if checked.in_both:
        first = checked.in_both[0][0]
        _say(f"trained on and asked about: {len(checked.in_both)} media, as {first}")
    for one in checked.sets:
        told = f"{one.source.name}: {one.rows} rows, {one.media} media"
        told += f", {one.left_out} more left out by the sweep" if one.left_out else ""
        told += f", {one.lost} rows with bad media" if one.lost else ""
        told += f", {len(one.too_long)} too long for the model" if one.too_long else ""
        told += f", repeated ids, called `a#2`: {one.repeated}" if one.repeated else ""
        count = len(one.unanswerable)
        told += f", questions without an answer, not asked: {count}" if count else ""
        _say(told)
        for place, why in list(one.unanswerable.items())[:_SAID]:
            _say(f"  {place}: {why}")
        if count > _SAID:
            _say(f"  ... and {count - _SAID} more")
    if checked.left_out:
        count = len(checked.left_out)
        _say(f"not looked at: {count} media that {checked.sources.listed} leaves out")
    total = sum(found.kinds.values())
    by = " by the listing of their store; none was opened" if checked.only_listed else ""
    _say(f"{total - len(found.bad)} of {total} media usable{by}")


def _say(line: str) -> None:
    """A line; a name that is no text is shown by its codes."""
    typer.echo(line.encode(errors="backslashreplace").decode())
