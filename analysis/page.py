"""The report as one self-contained HTML page: no script, no network, figures inlined."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from analysis.axes import AxisReport
from analysis.figures import Picture
from analysis.pair import Pair
from analysis.proxies import Proxy
from analysis.sentences import describe_pair, number, parameters, percent, score_digits
from analysis.table import ScoreTable
from analysis.verdict import RULE, VERDICTS


@dataclass(frozen=True)
class MetricSection:
    """Everything the page shows about one metric; figures are those of its pairs of scales.

    With one scale there is no pair, and no heatmap.
    """

    metric: str
    unit: str
    pairs: Sequence[Pair]
    axes: Sequence[AxisReport]
    proxies: Sequence[Proxy]
    heatmap: Picture | None
    scatters: Sequence[Picture]


def render_page(
    table: ScoreTable,
    sections: Sequence[MetricSection],
    *,
    title: str,
    provenance: Mapping[str, object],
    hidden_metrics: int,
    data: Sequence[Mapping[str, object]] = (),
) -> str:
    """Render the page.

    Args:
        sections: one per metric shown, in order.
        provenance: flat facts about where the scores came from.
        hidden_metrics: how many metrics are in report.json only.
        data: of each training stage `stage`, `trained`, `ended_early`, `skipped` and `sets`; of
            each set `set`, `size`, `stages`, `drawn`, `epochs` and `share`. What differs between
            stages has `least`, `median` and `most`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, percent=percent, inlined=inlined, parameters=parameters
    )
    return environment.get_template("report.html").render(
        title=title,
        table=table,
        sections=[_section_view(table, section) for section in sections],
        rule=RULE,
        n_designs=len(table.designs),
        provenance=provenance,
        data=data,
        hidden_metrics=hidden_metrics,
        missing=table.missing,
    )


def inlined(picture: Picture) -> str:
    """Return a figure as a data address: sharp at any size, its ids apart from other figures'."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture.svg).decode("ascii")


def _section_view(table: ScoreTable, section: MetricSection) -> dict[str, object]:
    grid = table.grid(section.metric)
    digits = score_digits(grid.stack())
    words = Counter(pair.verdict for pair in section.pairs)
    return {
        "section": section,
        "digits": digits,
        "tally": [(word, words[word]) for word in VERDICTS if words[word]],
        # The question a reader comes with is about the largest scale; the rest is in the table.
        "verdicts": [
            (pair, describe_pair(pair, unit=section.unit, digits=digits))
            for pair in section.pairs
            if pair.large == table.scales[-1]
        ],
        "rows": _result_rows(table, grid),
        "effects": _effect_rows(table, section.axes),
    }


def _result_rows(table: ScoreTable, grid: pd.DataFrame) -> list[dict[str, object]]:
    """List designs, best at the largest scale first, with each score's place in its column's range.

    `fill` is 0 to 100, the length of the bar behind a score; `best` marks a scale's best design.
    """
    grid = grid.sort_values(table.scales[-1], ascending=table.lower_is_better, kind="stable")
    low, spread = grid.min(), (grid.max() - grid.min()).replace(0.0, 1.0)
    best = grid.min() if table.lower_is_better else grid.max()
    fills = (grid - low) / spread * 100
    return [
        {
            "design": design,
            "cells": [
                None
                if pd.isna(grid.at[design, scale])
                else {
                    "score": float(grid.at[design, scale]),
                    "fill": round(float(fills.at[design, scale])),
                    "best": bool(grid.at[design, scale] == best[scale]),
                }
                for scale in table.scales
            ],
        }
        for design in grid.index
    ]


def _effect_rows(table: ScoreTable, axes: Sequence[AxisReport]) -> list[dict[str, object]]:
    """List each level with its effect against base at every scale, None where there is none."""
    rows: list[dict[str, object]] = []
    for report in axes:
        by_level: dict[str, dict[str, float]] = {}
        for effect in report.effects:
            by_level.setdefault(effect.level, {})[effect.scale] = effect.effect
        rows += [
            {
                "axis": report.axis,
                "level": level,
                "effects": [effects.get(scale) for scale in table.scales],
            }
            for level, effects in by_level.items()
        ]
    return rows
