"""The main tables of a report as CSV files, one row an entry, for spreadsheets and other tools."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import cast

import pandas as pd

from analysis.findings.findings import Findings
from analysis.table.table import ScoreTable

# Parts of a pair that are tables of their own; they stay in report.json.
NESTED = frozenset({"margins", "resampling", "breakdown", "verdict_evidence"})


def flat_tables(table: ScoreTable, found: Findings) -> dict[str, bytes]:
    """Write file name -> CSV. Nested fields get dotted names, intervals end in `.low`, `.high`."""
    entries: dict[str, Iterable[Mapping[str, object]]] = {
        "pairs.csv": ({k: v for k, v in asdict(p).items() if k not in NESTED} for p in found.pairs),
        "axes.csv": (asdict(verdict) for verdict in found.axis_verdicts),
        "effects.csv": (
            {"metric": axis.metric, "reference": axis.reference, **asdict(effect)}
            for axis in found.effects
            for effect in axis.effects
        ),
        "transfers.csv": (
            {"metric": axis.metric, "axis": axis.axis, **asdict(transfer)}
            for axis in found.effects
            for transfer in axis.transfers
        ),
        "proxies.csv": (asdict(proxy) for proxy in found.proxies),
        "cell_errors.csv": (asdict(error) for error in found.cell_errors),
        "missing.csv": (asdict(cell) for cell in table.missing),
    }
    return {name: csv_of(own) for name, own in entries.items()}


def csv_of(entries: Iterable[Mapping[str, object]], *, first: str = "metric") -> bytes:
    """Write entries as CSV, a row each; one without entries has the column `first` alone."""
    # A table without entries still has a header, so that every reader can read it.
    frame = pd.DataFrame([dict(_flatten(entry)) for entry in entries])
    if frame.empty:
        frame = pd.DataFrame(columns=[first])
    return frame.to_csv(index=False, lineterminator="\n").encode()


def _flatten(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield (dotted name, plain value); lists of entries are left out."""
    if isinstance(value, Mapping):
        for key, part in cast(Mapping[str, object], value).items():
            yield from _flatten(part, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        parts = cast(Sequence[object], value)
        if len(parts) == 2 and all(isinstance(part, int | float) for part in parts):
            yield from zip((f"{name}.low", f"{name}.high"), parts, strict=True)
        elif not any(isinstance(part, Mapping | list | tuple) for part in parts):
            yield name, " | ".join(str(part) for part in parts)
    else:
        yield name, value
