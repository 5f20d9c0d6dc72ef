"""`apollo curate`: a small benchmark from a large one's answers, with the evidence for it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from apollo_core.errors import BadInput


def curate(
    *,
    responses: Annotated[
        Path,
        typer.Option(
            "--responses",
            metavar="FILE",
            help="who got which item right: an item table, or a column a model (CSV, Parquet)",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder of the benchmark")],
    questions: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST", help="the benchmark itself: the chosen questions are written too"
        ),
    ] = None,
    item: Annotated[str | None, typer.Option(metavar="COL", help="column of item ids")] = None,
    category: Annotated[
        str | None, typer.Option(metavar="COL", help="column of categories")
    ] = None,
    seconds: Annotated[
        str | None, typer.Option(metavar="COL", help="column of seconds an item takes; else 1 each")
    ] = None,
    guess: Annotated[
        str | None, typer.Option(metavar="COL", help="column of guess rates; else 1 / n_options")
    ] = None,
    model: Annotated[
        str | None, typer.Option(metavar="COLS", help="model columns: a,b; else all others")
    ] = None,
    regime: Annotated[
        str, typer.Option(help="regime of the scores, where the table has several")
    ] = "video",
    rule: Annotated[
        str,
        typer.Option(help="random, stratified, entropy, 'balanced entropy', information, spread"),
    ] = "spread",
    cheaper: Annotated[float, typer.Option(help="how many times cheaper than all items")] = 41.0,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="a budget, instead of --cheaper")
    ] = None,
    costs: Annotated[
        str, typer.Option(metavar="a,b", help="how many times cheaper the judged subsets are")
    ] = "5,10,20,41,100,240",
    fit: Annotated[
        int | None, typer.Option(help="models that choose in a split; else 10 in 28")
    ] = None,
    splits: Annotated[int, typer.Option(help="random splits of the models")] = 30,
    draws: Annotated[int, typer.Option(help="draws of each rule in a split")] = 3,
    seed: Annotated[int, typer.Option(help="stream of splits and draws")] = 0,
    keep_solvable: Annotated[
        bool, typer.Option("--keep-solvable", help="keep items that are solved without video")
    ] = False,
) -> None:
    """Choose a small benchmark that orders models as the whole does, and show how well it does."""
    from analysis.benchmarks.curation import CurationOptions
    from analysis.benchmarks.curation import curate as choose
    from analysis.benchmarks.curation_files import write_curation
    from analysis.benchmarks.responses import ResponseColumns, read_responses
    from analysis.errors import TableError
    from orchestrator.files import write_atomically
    from orchestrator.results.curated_questions import curated_lines, read_questions

    columns = ResponseColumns(
        item=item,
        category=category,
        seconds=seconds,
        guess=guess,
        models=tuple(name.strip() for name in model.split(",")) if model else (),
        regime=regime,
    )
    options = CurationOptions(
        rule=rule,
        cheaper=cheaper,
        budget=budget,
        fit=fit,
        splits=splits,
        draws=draws,
        seed=seed,
        costs=_numbers(costs),
        keep_solvable=keep_solvable,
    )
    asked = None if questions is None else read_questions(questions)
    try:
        read = read_responses(responses, columns)
        found = choose(read, options)
        facts = {
            "source": responses.name,
            "sha256": hashlib.sha256(responses.read_bytes()).hexdigest(),
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "pandas")},
        }
        chosen = found.benchmark
        lines = None if asked is None else curated_lines(chosen.items, asked)
        page = write_curation(read, found, options, out, provenance=facts)
    except TableError as error:
        raise BadInput(f"curate: {error}") from error
    for line in found.warnings:
        typer.echo(f"warning: {line}", err=True)
    whole = sum(size for _, size, _ in found.balance)
    typer.echo(
        f"Benchmark {chosen.version}: {len(chosen.items)} of {whole} items,"
        f" {chosen.seconds:g} of {chosen.all_seconds:g} s, chosen by {chosen.rule}"
    )
    if whole < len(read.items):
        typer.echo(f"{len(read.items) - whole} more items are solved without video and left out")
    if lines is not None:
        written = out / f"questions-{chosen.version}.jsonl"
        write_atomically(written, lines)
        typer.echo(f"Its questions, for `manifest:` of an evaluation: {written}")
    typer.echo(f"Evidence: {page}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BadInput(f"curate: --costs {text!r}: give numbers with commas, as 5,41,240") from None
