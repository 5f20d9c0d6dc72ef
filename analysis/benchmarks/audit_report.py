"""Write an audit: audit.html, audit.json, a CSV for each table, figures."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from analysis.benchmarks.answer_sheets import read_sheets
from analysis.benchmarks.audit import Audit, audit
from analysis.benchmarks.audit_sentences import describe_gap, flag_lines, summary_lines
from analysis.benchmarks.group_scores import ALL
from analysis.benchmarks.redundancy import Matrix
from analysis.errors import TableError
from analysis.figures.redundancy import MOST_SERIES, draw_redundancy
from analysis.figures.regimes import Row, draw_regimes
from analysis.figures.style import Picture
from analysis.flat_tables import csv_of
from analysis.page.audit_page import AuditPictures, render_audit
from analysis.report import versions
from analysis.table.options import TableOptions
from analysis.written_folder import write_folder

# Of simulated p values alone; nothing else is drawn.
SEED = 0
# More rows of bars than this are no figure; they stand in the table.
MOST_ROWS = 24


@dataclass(frozen=True)
class AuditReport:
    """A written audit: its page, and lines that sum it up on a terminal."""

    html: Path
    json: Path
    summary: tuple[str, ...]


def audit_files(
    paths: Sequence[Path],
    options: TableOptions,
    out_dir: Path,
    *,
    group_by: Sequence[str] = (),
    title: str = "Benchmark audit",
    provenance: Mapping[str, object] | None = None,
) -> AuditReport:
    """Audit item tables and write what was found into `out_dir`, which is made if need be.

    Raises:
        TableError: a table, an option or `out_dir` cannot be used; nothing is written then.
    """
    out_dir = Path(out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise TableError(f"{out_dir}: is a file; give a folder for the audit.")
    read = read_sheets(paths, options, group_by=group_by)
    found = audit(read, np.random.default_rng(SEED))
    facts = {
        "source": ", ".join(Path(path).name for path in paths),
        "sha256": ", ".join(hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in paths),
        **versions(),
        **(provenance or {}),
    }
    pictures = draw_audit(found)
    files: dict[str, bytes] = {}
    for picture in pictures.drawn():
        files[f"figures/{picture.name}.png"] = picture.png
        files[f"figures/{picture.name}.svg"] = picture.svg
    document = to_document(found, facts, figures=sorted(files))
    files |= _tables(found)
    files["audit.html"] = render_audit(found, pictures, title=title, provenance=facts).encode()
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    files["audit.json"] = f"{text}\n".encode()
    write_folder(out_dir, files, document="audit.json")
    return AuditReport(out_dir / "audit.html", out_dir / "audit.json", tuple(summary_lines(found)))


def to_document(
    found: Audit, provenance: Mapping[str, object], *, figures: Sequence[str]
) -> dict[str, object]:
    """Assemble audit.json: every number that the page shows. None is JSON's null."""
    return {
        **asdict(found),
        "sentences": [describe_gap(gap) for gap in found.gaps if gap.column == ALL],
        "flags": flag_lines(found),
        "provenance": dict(provenance),
        "figures": list(figures),
    }


def draw_audit(found: Audit) -> AuditPictures:
    """Draw both halves of the picture: benchmarks by regime, and R² between them."""
    whole = [_row(found, name, ALL, ALL, name) for name in found.benchmarks]
    regimes = draw_regimes(
        "regimes",
        "Accuracy in each regime, mean over models, with 95 % intervals for other videos; dashed:"
        " guessing. Right: paired differences in points, bold where surely not 0",
        whole[:MOST_ROWS],
    )
    groups = tuple(_draw_groups(found))
    drawn = tuple(
        draw_redundancy(
            f"redundancy-{place}",
            matrix,
            matrix.labels[:MOST_SERIES],
            _caption(matrix),
        )
        for place, matrix in enumerate(found.matrices)
    )
    return AuditPictures(regimes, groups, drawn)


def _draw_groups(found: Audit) -> Iterator[Picture]:
    for place, name in enumerate(found.benchmarks):
        of = dict.fromkeys(
            (a.column, a.group) for a in found.accuracies if a.benchmark == name and a.column != ALL
        )
        if of:
            rows = [_row(found, name, column, group, group) for column, group in of]
            hidden = f", the first {MOST_ROWS} of {len(rows)}" if len(rows) > MOST_ROWS else ""
            columns = ", ".join(dict.fromkeys(column for column, _ in of))
            yield draw_regimes(
                f"groups-{place}", f"{name}, items by {columns}{hidden}", rows[:MOST_ROWS]
            )


def _row(found: Audit, benchmark: str, column: str, group: str, label: str) -> Row:
    where = (benchmark, column, group)
    return Row(
        label,
        {a.regime: a for a in found.accuracies if (a.benchmark, a.column, a.group) == where},
        {(g.first, g.second): g for g in found.gaps if (g.benchmark, g.column, g.group) == where},
    )


def _caption(matrix: Matrix) -> str:
    what = "benchmarks" if matrix.column == ALL else f"groups by {matrix.column}"
    size = len(matrix.labels)
    hidden = f", the first {MOST_SERIES} of {size}" if size > MOST_SERIES else ""
    counts = sorted({pair.n for pair in matrix.pairs})
    n = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return (
        f"Redundancy between {what}{hidden}: R² over n = {n} models in the regime"
        f" {matrix.regime}; bold: surely at least 0.8"
    )


def _tables(found: Audit) -> dict[str, bytes]:
    items = (
        {"benchmark": each.benchmark, "regime": each.regime, **asdict(item)}
        for each in found.solvable
        for item in each.items
    )
    return {
        "accuracy.csv": csv_of([asdict(one) for one in found.accuracies], first="benchmark"),
        "gaps.csv": csv_of([asdict(one) for one in found.gaps], first="benchmark"),
        "text_shares.csv": csv_of([asdict(one) for one in found.text_shares], first="benchmark"),
        "redundancy.csv": csv_of(
            [asdict(pair) for matrix in found.matrices for pair in matrix.pairs], first="first"
        ),
        "copies.csv": csv_of([asdict(one) for one in found.copies], first="benchmark"),
        "letters.csv": csv_of([asdict(one) for one in found.letters], first="benchmark"),
        "items.csv": csv_of(list(items), first="benchmark"),
    }
