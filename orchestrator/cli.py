"""The command line: `apollo COMMAND`. Exit codes: 0 done, 1 the work failed, 2 bad input.

Commands live in `orchestrator.commands`, one a file; what needs `analysis` lives here.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from apollo_core.errors import ApolloError, BadInput
from apollo_core.redaction import redact
from orchestrator.commands.audit import audit
from orchestrator.commands.check_data import check_data
from orchestrator.commands.curate import curate
from orchestrator.commands.doctor import doctor
from orchestrator.commands.evaluate import evaluate
from orchestrator.commands.explain import explain
from orchestrator.commands.export import export
from orchestrator.commands.fetch import fetch
from orchestrator.commands.gc import gc
from orchestrator.commands.optional_names import ReportCommand
from orchestrator.commands.options import DEFAULT_STORE, StorePath
from orchestrator.commands.plan import plan
from orchestrator.commands.pull import pull
from orchestrator.commands.push import push
from orchestrator.commands.run import run
from orchestrator.commands.schema import schema
from orchestrator.commands.status import status
from orchestrator.commands.sync import sync
from orchestrator.commands.ui import ui

if TYPE_CHECKING:
    from analysis.report import FileReport
    from analysis.table.options import TableOptions
    from orchestrator.results.report_source import ReportSource

app = typer.Typer(
    name="apollo",
    help="Design-choice sweeps for video LMMs: plan, run, watch, and report what transfers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(plan)
app.command()(run)
app.command()(status)
app.command()(explain)


@app.command(cls=ReportCommand)
def report(
    sweep: Annotated[
        Path | None, typer.Argument(metavar="[SWEEP]", help="a sweep file, or use --scores")
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the report")],
    scores: Annotated[
        Path | None,
        typer.Option("--scores", metavar="FILE", help="any score table, CSV or Parquet"),
    ] = None,
    design: Annotated[str | None, typer.Option(metavar="COLS", help="design columns: a,b")] = None,
    scale: Annotated[str | None, typer.Option(metavar="COL", help="column of the scale")] = None,
    score: Annotated[str | None, typer.Option(metavar="COLS", help="columns of scores")] = None,
    block: Annotated[str | None, typer.Option(metavar="COLS", help="columns that group")] = None,
    seed: Annotated[str | None, typer.Option(metavar="COL", help="column of the seed")] = None,
    scale_order: Annotated[
        str | None, typer.Option(metavar="a,b,c", help="scales from small to large")
    ] = None,
    scale_size: Annotated[
        str | None, typer.Option(metavar="a=0.5,b=1.5", help="billions of parameters")
    ] = None,
    chance: Annotated[
        str | None, typer.Option(metavar="metric=.25", help="what guessing scores")
    ] = None,
    scale_cost: Annotated[
        str | None, typer.Option(metavar="a=1,b=4", help="cost of a run, any unit; else the size")
    ] = None,
    data_size: Annotated[
        str | None, typer.Option(metavar="COL", help="amounts of training data, for a plateau")
    ] = None,
    lower_is_better: Annotated[
        str | None,
        typer.Option(
            "--lower-is-better", metavar="[METRICS]", help="as a loss: these metrics, or all"
        ),
    ] = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", metavar="FILE", help="who got which item right, CSV or Parquet"),
    ] = None,
    tie_band: Annotated[
        float, typer.Option("--tie-band", help="differences up to this count as ties")
    ] = 0.0,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", help="an MLflow server; else <store>/mlflow.db"),
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Say which design choices transfer across scale: of a sweep, or of any score table."""
    from analysis.errors import TableError
    from analysis.table.options import TableOptions

    if (sweep is None) == (scores is None):
        raise BadInput("report: give a sweep file, or a score table with --scores (one of them)")
    if sweep is not None and items is not None:
        raise BadInput("report: --items goes with --scores; a sweep brings its own items")
    if scores is not None and tracking_uri is not None:
        raise BadInput("report: --tracking-uri goes with a sweep; a table has no runs to add to")
    try:
        options = TableOptions.parse(
            design=design,
            scale=scale,
            score=score,
            block=block,
            seed=seed,
            scale_order=scale_order,
            scale_size=scale_size,
            scale_cost=scale_cost,
            data_size=data_size,
            chance=chance,
            lower_is_better=lower_is_better,
            tie_band=tie_band,
        )
        if sweep is not None:
            _report_on_sweep(sweep, options, out, store, tracking_uri)
        elif scores is not None:
            _report_on_table(scores, options, out, items)
    except TableError as error:
        raise BadInput(str(error)) from error


app.command()(audit)
app.command()(curate)
app.command()(evaluate)
app.command()(check_data)
app.command()(fetch)
app.command()(export)
app.command()(sync)
app.command()(push)
app.command()(pull)
app.command()(gc)
app.command()(ui)
app.command()(schema)
app.command()(doctor)


def main() -> None:
    """Run the command line; an error becomes a message on stderr and an exit code."""
    try:
        app()
    except BadInput as error:
        sys.exit(_told(error, code=2))
    except ApolloError as error:
        sys.exit(_told(error, code=1))
    except ModuleNotFoundError as error:
        # Ours are all there, so it is a package of the extra that the plain install leaves out.
        if (error.name or "").split(".")[0] in ("apollo_core", "orchestrator", "analysis"):
            raise
        text = f"this command needs {error.name}: pip install 'apollo-sweeps[sweep]'"
        sys.exit(_told(BadInput(text), code=2))


def _report_on_table(scores: Path, options: TableOptions, out: Path, items: Path | None) -> None:
    from analysis.report import report_on_file
    from orchestrator.results.report_source import source_beside

    source = source_beside(scores)
    if source is None:
        _show(report_on_file(scores, options, out, items=items))
    else:
        _show(_report_with_source(scores, options, out, items, source))


def _report_with_source(
    scores: Path, options: TableOptions, out: Path, items: Path | None, source: ReportSource
) -> FileReport:
    """The report of a sweep's tables, and their source beside it."""
    from dataclasses import replace

    from analysis.report import report_on_file
    from orchestrator.results.report_source import write_source

    if options.design == ("design",):
        # Told, not found from the table: of a grid without base no column looks like an axis.
        options = replace(options, axes=source.axes)
    found = report_on_file(
        scores,
        options,
        out,
        title=source.title,
        provenance=source.provenance,
        items=items,
        data=source.data,
    )
    write_source(source, out)
    return found


def _report_on_sweep(
    sweep: Path, options: TableOptions, out: Path, store: Path, uri: str | None
) -> None:
    from tempfile import TemporaryDirectory

    from orchestrator.results.report_source import NAME, ReportSource
    from orchestrator.results.score_table import write_items, write_scores
    from orchestrator.results.sweep_report import ITEM_TABLE, finish_report, provenance_of
    from orchestrator.results.training_data import training_data
    from orchestrator.store.known_sweep import known_sweep
    from orchestrator.store.store import open_store
    from orchestrator.tracking.tracking_uri import require_tracking_uri

    require_tracking_uri(uri)
    opened = open_store(store)
    record = known_sweep(sweep, opened)
    source = ReportSource.model_validate(
        {
            "title": record.name,
            "axes": record.axes,
            "provenance": provenance_of(record, opened),
            "data": training_data(record, opened),
        }
    )
    with TemporaryDirectory() as folder:
        table = Path(folder) / "scores.csv"
        write_scores(record, opened, table)
        answers = Path(folder) / ITEM_TABLE
        write_items(record, opened, answers)
        found = _report_with_source(table, options, out, answers, source)
    paths = found.paths
    files = [paths.html, paths.json, *paths.tables, *paths.figures, out / NAME]
    behind = finish_report(record, opened, files, folder=out, uri=uri)
    if behind:
        typer.echo(f"warning: {behind}", err=True)
    _show(found)
    if uri is None:
        typer.echo(f"Curves and runs: apollo ui --store {shlex.quote(str(store))}")


def _show(found: FileReport) -> None:
    for line in found.summary:
        typer.echo(line)
    typer.echo(f"Report: {found.paths.html}")


def _told(error: ApolloError, *, code: int) -> int:
    # A name in it may be no text: it is shown by its codes.
    text = redact(str(error)).encode(errors="backslashreplace").decode()
    typer.echo(f"apollo: {text}", err=True)
    return code
