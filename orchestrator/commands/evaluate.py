"""`apollo evaluate`: models of others on the benchmarks of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.commands.clean_stop import stop_cleanly
from orchestrator.commands.options import (
    DEFAULT_STORE,
    Address,
    Engine,
    RetryFailed,
    Ship,
    StorePath,
)

if TYPE_CHECKING:
    from orchestrator.store.store import Store
    from orchestrator.store.sweep_record import SweepRecord

_TABLES = (".csv", ".csv.gz", ".parquet")


def evaluate(
    roster: Annotated[
        Path, typer.Argument(metavar="ROSTER", help="models and what they are asked (YAML)")
    ],
    *,
    address: Address = None,
    retry_failed: RetryFailed = False,
    ship: Ship = True,
    engine: Engine = "ray",
    items: Annotated[
        Path | None,
        typer.Option(
            "--items", metavar="FILE", help="write the item table there: .csv, .csv.gz, .parquet"
        ),
    ] = None,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Ask models of others, as transformers saves them, what a sweep's evaluation asks."""
    from apollo_core.errors import BadInput
    from orchestrator.doctor import require_sweep_packages
    from orchestrator.engine.local_engine import LocalEngine
    from orchestrator.engine.ray.ray_engine import RayEngine
    from orchestrator.roster_run import run_roster
    from orchestrator.run import RunOptions
    from orchestrator.run_summary import summary_lines
    from orchestrator.spec.roster_file import load_roster
    from orchestrator.store.store import open_store
    from orchestrator.watching.progress import make_progress

    require_sweep_packages()
    _check_items(items)
    wanted = load_roster(roster)
    opened = open_store(store)
    progress = make_progress()
    stop_cleanly()
    try:
        summary, record = run_roster(
            wanted,
            opened,
            source=roster.read_text(encoding="utf-8"),
            engine=LocalEngine() if engine == "local" else RayEngine(address=address, ship=ship),
            options=RunOptions(retry_failed=retry_failed, one_at_a_time=engine == "local"),
            progress=progress,
        )
    except KeyboardInterrupt:
        progress.say("Stopped. Finished stages are kept; run the same command again to go on.")
        raise typer.Exit(1) from None
    for line in summary_lines(summary, record):
        progress.say(line)
    _show_scores(record, opened)
    if items is not None:
        from orchestrator.results.score_table import write_items

        try:
            count = write_items(record, opened, items)
        except OSError as error:  # a full disk, say
            raise BadInput(
                f"--items: {items} cannot be written ({error.strerror}); the same command with "
                "another name writes it, and asks nothing again"
            ) from error
        progress.say(f"{items}: {count} answers")
    raise typer.Exit(summary.exit_code)


def _check_items(items: Path | None) -> None:
    """Refuse a name that the item table cannot have. Raises `BadInput`."""
    from apollo_core.errors import BadInput

    if items is None:
        return
    if items.is_dir():
        raise BadInput(f"--items: {items} is a folder; give a file in it")
    if not items.name.endswith(_TABLES):
        raise BadInput(f"--items: {items}: the name has to end in {', '.join(_TABLES)}")
    folder = items.absolute().parent
    if not folder.is_dir():
        raise BadInput(f"--items: {folder} is no folder; make it, or give another")


def _show_scores(record: SweepRecord, store: Store) -> None:
    """Overall scores, a row a benchmark and regime, a column a model; beside them what guessing
    gets."""
    from rich.console import Console
    from rich.table import Table

    from orchestrator.results.score_table import OVERALL, score_rows

    rows = [row for row in score_rows(record, store) if str(row["metric"]).endswith(OVERALL)]
    if not rows:
        return
    models = [variant.id for variant in record.variants]
    found = {(row["design"], row["metric"]): row for row in rows}
    table = Table("per cent right", *models, "guessing")
    for metric in dict.fromkeys(row["metric"] for row in rows):
        cells = [found.get((model, metric), {}).get("score") for model in models]
        chance = next((row["chance"] for row in rows if row["metric"] == metric), None)
        name = str(metric).removesuffix(f"/{OVERALL}")
        table.add_row(name, *map(_number, [*cells, chance]))
    Console(highlight=False).print(table)


def _number(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else ""
