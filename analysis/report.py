"""Write the whole report: page, JSON, scores and figures, each file whole or not at all."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from analysis.errors import TableError
from analysis.figures.of_metric import draw_metric
from analysis.findings.axes import AxisReport
from analysis.findings.findings import Findings, find
from analysis.findings.ranks import rank_designs
from analysis.findings.sentences import summary_lines
from analysis.findings.study_sentences import describe_axis_line
from analysis.flat_tables import flat_tables
from analysis.page.page import MetricSection, render_page
from analysis.statistics.item_scores import ItemScores
from analysis.statistics.verdict import RULE
from analysis.table.item_table import load_items
from analysis.table.options import TableOptions
from analysis.table.table import ScoreTable, load_table
from analysis.written_folder import write_folder

# Sections of more metrics make a page that no browser likes and nobody reads.
MOST_SHOWN = 24


@dataclass(frozen=True)
class ReportPaths:
    """Where the report's files are."""

    html: Path
    json: Path
    scores: Path
    tables: tuple[Path, ...]
    figures: tuple[Path, ...]


@dataclass(frozen=True)
class FileReport:
    """A written report and the lines that sum it up on a terminal (plain text, no styling)."""

    paths: ReportPaths
    summary: tuple[str, ...]


def report_on_file(
    path: Path,
    options: TableOptions,
    out_dir: Path,
    *,
    title: str = "Scaling consistency",
    provenance: Mapping[str, object] | None = None,
    items: Path | None = None,
    data: Sequence[Mapping[str, object]] = (),
) -> FileReport:
    """Read a score table and write its report into `out_dir`, which is made if need be.

    Args:
        items: the item table behind the scores, if there is one.
        data: what each training stage was fed, where the scores are a sweep's.

    Raises:
        TableError: a table, an option or `out_dir` cannot be used; nothing is written then.
    """
    path, out_dir = Path(path), Path(out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise TableError(f"{out_dir}: is a file; give a folder for the report.")
    table = load_table(path, options)
    facts = {
        "source": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **versions(),
        **(provenance or {}),
    }
    answers: Mapping[str, ItemScores] = {}
    if items is not None:
        read = load_items(Path(items), options, table)
        answers = read.metrics
        table = replace(table, warnings=(*table.warnings, *read.warnings))
        facts["items"] = f"{Path(items).name}, metrics covered: {len(answers)}"
    findings = find(table, answers)
    paths = write_report(
        table, out_dir, title=title, provenance=facts, findings=findings, data=data
    )
    shown = shown_metrics(table.metrics)
    units = {metric: score_unit(table, metric) for metric in shown}
    axis_lines = [
        (f"{verdict.metric}: " if len(shown) > 1 else "") + describe_axis_line(verdict)
        for verdict in findings.axis_verdicts
        if verdict.metric in shown and verdict.large == table.scales[-1]
    ]
    summary = summary_lines(table, findings.pairs, shown, units)
    gap = ("",) if summary and summary[-1] else ()
    return FileReport(paths, (*summary, *((*gap, *axis_lines) if axis_lines else ())))


def write_report(
    table: ScoreTable,
    out_dir: Path,
    *,
    provenance: Mapping[str, object],
    title: str = "Scaling consistency",
    findings: Findings | None = None,
    data: Sequence[Mapping[str, object]] = (),
) -> ReportPaths:
    """Write report.html, report.json, CSV tables and figures/ (PNG and SVG) into `out_dir`.

    Everything is computed and drawn first; a reader never meets half a file.

    Raises:
        TableError: `out_dir` cannot be written.
    """
    found = findings or find(table)
    shown = shown_metrics(table.metrics)
    sections: list[MetricSection] = []
    for metric in shown:
        unit = score_unit(table, metric)
        pictures = draw_metric(table, found, metric, unit, n_metrics=len(shown))
        sections.append(MetricSection(metric, unit, pictures))
    page = render_page(table, found, sections, title=title, provenance=provenance, data=data)
    files: dict[str, bytes] = {}
    for picture in (picture for section in sections for picture in section.pictures.drawn()):
        files[f"figures/{picture.name}.png"] = picture.png
        files[f"figures/{picture.name}.svg"] = picture.svg
    document = to_document(table, found, provenance, figures=sorted(files), data=data)
    files |= flat_tables(table, found)
    files["scores.csv"] = table.rows.to_csv(index=False, lineterminator="\n").encode()
    files["report.html"] = page.encode()
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    files["report.json"] = f"{text}\n".encode()
    write_folder(out_dir, files, document="report.json")
    return ReportPaths(
        html=out_dir / "report.html",
        json=out_dir / "report.json",
        scores=out_dir / "scores.csv",
        tables=tuple(out_dir / name for name in files if name.endswith(".csv")),
        figures=tuple(out_dir / name for name in files if name.startswith("figures/")),
    )


def to_document(
    table: ScoreTable,
    found: Findings,
    provenance: Mapping[str, object],
    *,
    figures: Sequence[str],
    data: Sequence[Mapping[str, object]] = (),
) -> dict[str, object]:
    """Assemble report.json: every number the page shows, for every metric. None is JSON's null."""
    return {
        "pairs": [asdict(pair) for pair in found.pairs],
        "axes": [_axis_entry(found, axis) for axis in found.axes],
        "effects": [asdict(effects) for effects in found.effects],
        "interaction": [asdict(analysis) for analysis in found.interaction],
        "across_scales": [asdict(across) for across in found.across_scales],
        "planning": [asdict(plan) for plan in found.planning],
        "proxies": [asdict(proxy) for proxy in found.proxies],
        "metric_halves": [asdict(halves) for halves in found.metric_halves],
        "cell_errors": [asdict(error) for error in found.cell_errors],
        "missing": [asdict(cell) for cell in table.missing],
        "provenance": dict(provenance),
        "data": list(data),
        "scales": [
            {
                "scale": scale,
                "size": table.sizes[scale] if table.sizes else None,
                "cost": table.costs[scale] if table.costs else None,
            }
            for scale in table.scales
        ],
        "metrics": [
            {
                "metric": metric,
                "unit": score_unit(table, metric),
                "chance": table.chance.get(metric),
                "lower_is_better": metric in table.lower_is_better,
                "on_page": metric in shown_metrics(table.metrics),
            }
            for metric in table.metrics
        ],
        "designs": table.designs.reset_index().to_dict("records"),
        "scores": table.cells.to_dict("records"),
        "ranks": [
            asdict(rank)
            for metric in shown_metrics(table.metrics)
            for rank in rank_designs(table, metric)
        ],
        "verdict_rule": RULE,
        "warnings": list(table.warnings),
        "figures": list(figures),
    }


def _axis_entry(found: Findings, report: AxisReport) -> dict[str, object]:
    """One axis under one metric, with the verdict at each pair of scales."""
    verdicts = [
        asdict(verdict)
        for verdict in found.axis_verdicts
        if (verdict.axis, verdict.metric) == (report.axis, report.metric)
    ]
    return {**asdict(report), "verdicts": verdicts}


def shown_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Pick the metrics for page and figures: the overall ones, or all where there are none.

    The first `MOST_SHOWN` of them; the others stand in the page's last table and in every file.
    """
    overall = tuple(metric for metric in metrics if metric.split("/")[-1] == "overall")
    return (overall or tuple(metrics))[:MOST_SHOWN]


def score_unit(table: ScoreTable, metric: str) -> str:
    """Name the unit of a metric's scores: `points` on a scale of 100, else `score units`."""
    scores = table.cells.loc[table.cells["metric"] == metric, "score"]
    return "points" if scores.min() >= 0 and 1 < scores.max() <= 100 else "score units"


def versions() -> dict[str, str]:
    """Name what the numbers were computed with."""
    return {"python": platform.python_version()} | {
        name: version(name) for name in ("numpy", "scipy", "pandas", "matplotlib")
    }
