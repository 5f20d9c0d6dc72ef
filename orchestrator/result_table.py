"""The result table for a terminal: designs x scales, the overall score of the main benchmark."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.score_table import OVERALL, Row

if TYPE_CHECKING:
    from rich.table import Table


def result_table(rows: Sequence[Row]) -> Table:
    """Scores of the first overall metric; several seeds are averaged, what is missing is a dash.

    Args:
        rows: of the score table, at least one.
    """
    from rich.table import Table

    metric = next(str(row["metric"]) for row in rows if str(row["metric"]).endswith(f"/{OVERALL}"))
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row["metric"] == metric:
            place = (str(row["design"]), str(row["scale"]))
            cells[place].append(float(str(row["score"])))
    chance = next(float(str(row["chance"])) for row in rows if row["metric"] == metric)
    table = Table(title=f"{metric}, per cent (guessing: {chance:.1f})", title_justify="left")
    table.add_column("design")
    scales = list(dict.fromkeys(scale for _, scale in cells))
    for scale in scales:
        table.add_column(scale, justify="right")
    for design in dict.fromkeys(design for design, _ in cells):
        table.add_row(design, *(_cell(cells.get((design, scale), [])) for scale in scales))
    return table


def _cell(scores: Sequence[float]) -> str:
    return f"{math.fsum(scores) / len(scores):.1f}" if scores else "-"
