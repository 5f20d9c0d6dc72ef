"""What `apollo push` and `apollo pull` are asked for, and what they tell at their end."""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import TYPE_CHECKING

import typer

from apollo_core.errors import BadInput

if TYPE_CHECKING:
    from orchestrator.exchange.bucket import Bucket
    from orchestrator.exchange.moving import Report
    from orchestrator.store.sweep_record import SweepRecord


def asked_for(record: SweepRecord, only: list[str] | None) -> list[str]:
    """Keys of the stages that these replicates need, all of them where none is named.

    Raises:
        BadInput: no replicate of that id.
    """
    known = {variant.id for variant in record.variants}
    for identifier in only or ():
        if identifier not in known:
            near = get_close_matches(identifier, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise BadInput(f"--only: no variant {identifier!r} in {record.name}.{hint}")
    return sorted(record.only(tuple(only or ())))


def tell(report: Report, record: SweepRecord, bucket: Bucket, *, done: str, as_json: bool) -> None:
    """Print what became of the stages and exit: 1 if any failed, else 0.

    Args:
        done: what was done to them, "pushed" or "pulled".
    """
    if as_json:
        typer.echo(json.dumps(report.document(record.name, bucket.name)))
    else:
        for key, problem in report.problems.items():
            typer.echo(f"failed  {key[:12]} {record.label(key)}: {problem}", err=True)
        typer.echo(_summary(report, record.name, bucket.name, done))
    raise typer.Exit(1 if report.problems else 0)


def _summary(report: Report, sweep: str, url: str, done: str) -> str:
    where = "in the store" if done == "pushed" else "there"
    parts = [f"{report.count('moved')} {done} ({report.bytes:,} bytes)"]
    parts.append(f"{report.count('there')} were there before")
    if report.count("absent"):
        parts.append(f"{report.count('absent')} not finished {where}")
    if report.count("busy"):
        parts.append(f"{report.count('busy')} left to a driver that is at work on them here")
    if report.problems:
        parts.append(f"{len(report.problems)} failed")
    return f"{sweep}, {url}: {len(report.stages)} stages: {', '.join(parts)}"
