"""`apollo audit`: what benchmarks measure, of a sweep or of any item tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.options import DEFAULT_STORE, StorePath

if TYPE_CHECKING:
    from analysis.benchmarks.audit_report import AuditReport
    from analysis.table.options import TableOptions


def audit(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SWEEP...]",
            help="sweeps and rosters, files or names; or --items (more files may follow)",
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the audit")],
    items: Annotated[
        list[Path] | None,
        typer.Option("--items", metavar="FILE...", help="item tables, CSV or Parquet"),
    ] = None,
    design: Annotated[
        str | None, typer.Option(metavar="COLS", help="columns that name a model: a,b")
    ] = None,
    scale: Annotated[str | None, typer.Option(metavar="COL", help="column of the scale")] = None,
    seed: Annotated[str | None, typer.Option(metavar="COL", help="column of the seed")] = None,
    group: Annotated[
        str | None,
        typer.Option(metavar="COLS", help="columns that group items, as duration_group"),
    ] = None,
    chance: Annotated[
        str | None, typer.Option(metavar="benchmark=.25", help="share that guessing gets")
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Say what benchmarks measure: need of the video, redundancy, items and keys to distrust."""
    from analysis.errors import TableError
    from analysis.table.options import TableOptions, split_names
    from apollo_core.errors import BadInput

    given = sources or []
    if not items and not given:
        raise BadInput("audit: give sweeps or rosters, or item tables with --items FILE...")
    try:
        options = TableOptions.parse(design=design, scale=scale, seed=seed, chance=chance)
        groups = split_names(group, option="--group")
        if items:
            from analysis.benchmarks.audit_report import audit_files

            report = audit_files([*items, *given], options, out, group_by=groups)
        else:
            report = _audit_sweeps(given, store, options, groups, out)
    except TableError as error:
        raise BadInput(str(error)) from error
    for line in report.summary:
        typer.echo(line)
    typer.echo(f"Audit: {report.html}")


def _audit_sweeps(
    sweeps: Sequence[Path], store: Path, options: TableOptions, groups: tuple[str, ...], out: Path
) -> AuditReport:
    from tempfile import TemporaryDirectory

    from analysis.benchmarks.audit_report import audit_files
    from apollo_core.errors import BadInput
    from orchestrator.results.score_table import write_items
    from orchestrator.results.sweep_report import provenance_of
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store

    opened = open_store(store)
    records = [known_sweep(sweep, opened) for sweep in sweeps]
    with TemporaryDirectory() as folder:
        tables = [Path(folder) / f"items-{place}.csv" for place in range(len(records))]
        for record, table in zip(records, tables, strict=True):
            if not write_items(record, opened, table):
                raise BadInput(
                    f"{record.name}: no evaluation is done in the store {opened.root}; `apollo run`"
                    " it first (`apollo evaluate`, if it is a roster)"
                )
        return audit_files(
            tables,
            options,
            out,
            group_by=groups,
            title=f"Benchmark audit of {' and '.join(record.name for record in records)}",
            provenance=_joined([provenance_of(record, opened) for record in records]),
        )


def _joined(told: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What is said of each, field by field; what is the same of all once."""
    names = dict.fromkeys(name for each in told for name in each)
    return {
        name: ", ".join(dict.fromkeys(str(each[name]) for each in told if name in each))
        for name in names
    }
