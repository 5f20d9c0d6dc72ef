"""The report as one self-contained HTML page: no script, no network, figures inlined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.figures.of_metric import MetricPictures
from analysis.findings.findings import Findings
from analysis.findings.sentences import number, parameters, percent
from analysis.findings.study_sentences import chance
from analysis.page.rendering import render
from analysis.page.sections import section_view
from analysis.page.tables import MOST_MISSING, category_rows, missing_rows, overview_rows
from analysis.statistics.verdict import RULE
from analysis.table.table import ScoreTable


@dataclass(frozen=True)
class MetricSection:
    """A metric that the page shows in full, with the unit of its scores and its figures."""

    metric: str
    unit: str
    pictures: MetricPictures


def render_page(
    table: ScoreTable,
    found: Findings,
    sections: Sequence[MetricSection],
    *,
    title: str,
    provenance: Mapping[str, object],
    data: Sequence[Mapping[str, object]] = (),
) -> str:
    """Render the page.

    Args:
        sections: one per metric shown in full, in order; the others are categories and appear in
            tables.
        provenance: flat facts about where the scores came from.
        data: what each training stage was fed, where the scores are a sweep's.
    """
    full = [section.metric for section in sections]
    return render(
        "report.html",
        title=title,
        filters={
            "signed": signed,
            "interval": interval,
            "share_interval": share_interval,
            "parameters": parameters,
            "chance": chance,
        },
        values={
            "table": table,
            "views": [
                section_view(table, found, section.metric, section.unit, section.pictures)
                for section in sections
            ],
            "overview": overview_rows(found, full, table.scales[-1]) if len(full) > 1 else [],
            "categories": category_rows(found, [m for m in table.metrics if m not in full], table),
            "halves": found.metric_halves,
            "rule": RULE,
            "provenance": provenance,
            "data": data,
            "missing": missing_rows(table),
            "most_missing": MOST_MISSING,
        },
    )


def interval(ends: tuple[float, float] | None, digits: int = 2) -> str:
    """Write an interval as `0.85 to 0.98`; a dash where there is none."""
    return "–" if ends is None else f"{number(ends[0], digits)} to {number(ends[1], digits)}"


def share_interval(ends: tuple[float, float] | None) -> str:
    """The same for shares, as `53 % to 100 %`."""
    return "–" if ends is None else f"{percent(ends[0])} to {percent(ends[1])}"


def signed(value: float | None, digits: int = 3) -> str:
    """Write a difference with its sign; none where it rounds to nothing."""
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and float(text) > 0 else text
