"""Rows of the page's tables, cut where a reader would stop, never without saying so."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

import pandas as pd

from analysis.findings.axis_effects import AxisEffects
from analysis.findings.findings import Findings
from analysis.findings.pair import Pair
from analysis.statistics.decomposition import LeftOut, Range
from analysis.table.table import MissingCell, ScoreTable

MOST_DESIGNS = 60
MOST_LEVELS = 60
MOST_MISSING = 120
# Longer lists of names are in report.json.
LONGEST_LIST = 110


def result_rows(table: ScoreTable, metric: str) -> dict[str, object]:
    """List designs, best at the largest scale first, with each score's place in its column's range.

    `fill` is 0 to 100, the length of the bar behind a score; `best` marks a scale's best design.
    `hidden` designs are not listed.
    """
    grid, lower = table.grid(metric).dropna(how="all"), metric in table.lower_is_better
    # Under the largest scale's order, those it lacks by the next largest.
    grid = grid.sort_values(list(reversed(table.scales)), ascending=lower, kind="stable")
    low, spread = grid.min(), (grid.max() - grid.min()).replace(0.0, 1.0)
    best = grid.min() if lower else grid.max()
    fills = (grid - low) / spread * 100
    rows = [
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
        for design in grid.index[:MOST_DESIGNS]
    ]
    return {"rows": rows, "hidden": max(0, len(grid) - MOST_DESIGNS)}


def effect_rows(effects: Iterable[AxisEffects], scales: Sequence[str]) -> dict[str, object]:
    """List each level with its effect at every scale, None where there is none."""
    rows: list[dict[str, object]] = []
    for axis in effects:
        by_level: dict[str, dict[str, object]] = {}
        for effect in axis.effects:
            by_level.setdefault(effect.level, {})[effect.scale] = effect
        rows += [
            {
                "axis": axis.axis,
                "level": f"{level} less {axis.reference}",
                "effects": [found.get(scale) for scale in scales],
            }
            for level, found in by_level.items()
        ]
    return {"rows": rows[:MOST_LEVELS], "hidden": max(0, len(rows) - MOST_LEVELS)}


def robustness_rows(pairs: Iterable[Pair]) -> list[dict[str, object]]:
    """What R² and decision accuracy of each pair become without parts of the designs."""
    rows: list[dict[str, object]] = []
    for pair in pairs:
        broken = pair.breakdown
        if broken is None:
            continue
        decided = broken.decisions
        ranges: dict[str, tuple[Range, Range | None]] = {
            "one design": (broken.designs, decided.designs),
            "all designs that one axis changed": (broken.axes, decided.axes),
        }
        for column, span in broken.levels.items():
            ranges[f"one level of {column}"] = (span, decided.levels[column])
        for column, block in product(broken.levels, pair.within):
            parts = [p for p in broken.without_level[column] if p.within.get(block) is not None]
            if column != block and parts:
                ranges[f"one level of {column}, within {block}"] = (_within(parts, block), None)
        rows += [
            {"pair": pair, "what": what, "r2": span, "accuracy": accuracy, "part": None}
            for what, (span, accuracy) in ranges.items()
            if span.low is not None
        ]
        for part in broken.without_worst:
            if part.r2 is not None:
                rows.append({"pair": pair, "what": f"the {part.left_out}", "part": part})
            rows += [
                {
                    "pair": pair,
                    "what": f"the {part.left_out}, within {block}",
                    "part": replace(part, r2=r2),
                }
                for block, r2 in part.within.items()
                if r2 is not None
            ]
    return rows


def _within(parts: Sequence[LeftOut], block: str) -> Range:
    """The range of R² within blocks over what is left out."""
    ends = sorted((part.within[block] or 0.0, part.left_out) for part in parts)
    return Range(ends[0][0], ends[-1][0], ends[0][1], ends[-1][1])


def plan_rows(found: Findings, metric: str, table: ScoreTable) -> dict[str, object]:
    """What narrower intervals take, and which designs to run at the largest scale."""
    plans = [plan for plan in found.planning if plan.metric == metric]
    needs = [need for plan in plans for need in plan.needs]
    # The proxy nearest to the largest scale is the one that a study would trust.
    subsets = [s for plan in plans for s in plan.subsets]
    nearest = max((table.scales.index(s.small) for s in subsets), default=0)
    return {
        "needs": needs,
        "subsets": [
            {"subset": s, "names": _names(s.designs)}
            for s in subsets
            if s.small == table.scales[nearest]
        ],
    }


def _names(designs: Sequence[str]) -> str:
    listed = ", ".join(designs)
    return listed if len(listed) <= LONGEST_LIST else "named in report.json"


def overview_rows(found: Findings, metrics: Sequence[str], target: str) -> list[dict[str, object]]:
    """Every metric against every proxy of the largest scale, for a page of several metrics."""
    return [
        {"metric": metric, "name": metric, "pairs": own}
        for metric in metrics
        if (own := [p for p in found.pairs if p.metric == metric and p.large == target])
    ]


def category_rows(
    found: Findings, metrics: Sequence[str], table: ScoreTable
) -> dict[str, list[dict[str, object]]]:
    """Categories by what they are parts of: each with its pairs into the largest scale."""
    by_benchmark: dict[str, list[dict[str, object]]] = {}
    for row in overview_rows(found, metrics, table.scales[-1]):
        whole, _, category = str(row["metric"]).rpartition("/")
        by_benchmark.setdefault(whole, []).append({**row, "name": category})
    return by_benchmark


def missing_rows(table: ScoreTable) -> list[dict[str, object]]:
    """Missing cells by design and reason: at which scales, for which metrics."""
    grouped: dict[tuple[str, str, str], list[MissingCell]] = {}
    for cell in table.missing:
        grouped.setdefault((cell.design, cell.scale, cell.reason), []).append(cell)
    rows: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (design, scale, reason), cells in grouped.items():
        rows.setdefault((design, reason, tuple(c.metric for c in cells)), []).append(scale)
    return [
        {
            "design": design,
            "scales": ", ".join(scales),
            "metrics": _metrics(metrics, table),
            "reason": reason,
        }
        for (design, reason, metrics), scales in rows.items()
    ]


def _metrics(metrics: Sequence[str], table: ScoreTable) -> str:
    if len(metrics) > 1 and set(metrics) >= set(table.metrics):
        return f"all {len(metrics)}"
    listed = ", ".join(metrics)
    return listed if len(listed) <= LONGEST_LIST else f"{len(metrics)} metrics"
