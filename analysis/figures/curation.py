"""What subsets of a benchmark are worth against what they cost: one picture per measure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np

from analysis.benchmarks.judging import Judged
from analysis.figures.style import COLOURS, MARKERS, STYLE, Picture, canvas, picture, quiet

_LABELS = {
    "r2": "R² with the full score",
    "close_pairs": "close pairs ordered alike",
    "kendall": "Kendall’s tau",
    "level_error": "calibrated level error",
}


@mpl.rc_context(STYLE)
def draw_curation(judged: Sequence[Judged]) -> tuple[Picture, ...]:
    """Draw every measure against how many times cheaper, a line with a band for each rule."""
    return tuple(_draw(judged, measure) for measure in _LABELS if _known(judged, measure))


def _known(judged: Sequence[Judged], measure: str) -> bool:
    return any(row.mean[measure] is not None for row in judged)


def _draw(judged: Sequence[Judged], measure: str) -> Picture:
    figure, (axes,) = canvas(4.6, 3.5)
    for place, rule in enumerate(dict.fromkeys(row.rule for row in judged)):
        own = [row for row in judged if row.rule == rule and row.mean[measure] is not None]
        x = np.array([row.cheaper for row in own])
        y = np.array([row.mean[measure] for row in own], dtype=float)
        error = np.array([row.error[measure] or 0.0 for row in own])
        colour = COLOURS[place % len(COLOURS)]
        axes.fill_between(x, y - 2 * error, y + 2 * error, color=colour, alpha=0.13, linewidth=0)
        axes.plot(
            x,
            y,
            color=colour,
            marker=MARKERS[place % len(MARKERS)],
            markersize=4,
            linewidth=1.8 if rule == "spread" else 1.1,
            linestyle="--" if rule in ("random", "stratified") else "-",
            label=rule,
        )
    axes.set_xscale("log")
    costs = sorted({row.cheaper for row in judged})
    axes.set_xticks(costs, [f"{cost:g}×" for cost in costs])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("cheaper than all items (seconds of evaluation, log scale)")
    axes.set_ylabel(_LABELS[measure])
    axes.legend(loc="best", ncols=2)
    quiet(axes)
    caption = (
        f"{_LABELS[measure]}, on models that did not choose the items: mean over"
        f" {judged[0].splits} splits, bands two standard errors; dashed: the controls"
    )
    return picture(figure, f"curation-{measure}", caption)
