"""The rank chart: the order of designs at every scale, and who passes whom on the way."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import (
    COLOURS,
    MARKERS,
    STYLE,
    WIDTH,
    Picture,
    canvas,
    distinct,
    picture,
    quiet,
    shorten,
    wrapped,
)

# Best at the largest scale; the rest is grey.
FOLLOWED = 5
# More names than this run into each other.
MOST_NAMES = 40
NAME_WIDTH = 24


@mpl.rc_context(STYLE)
def draw_ranks(name: str, metric: str, ranks: pd.DataFrame) -> Picture | None:
    """Draw ranks of designs (rows, best at the largest scale first) over scales (columns).

    None where fewer than two designs have a score at every scale.
    """
    if ranks.empty:
        return None
    n, scales = len(ranks), list(ranks.columns)
    # A hundred lines need no more height than forty names do.
    figure, (axes,) = canvas(WIDTH - 1.2, 0.8 + 0.155 * float(np.clip(n, 8, MOST_NAMES)))
    places = np.arange(len(scales))
    _others(axes, places, ranks.to_numpy(dtype=float)[FOLLOWED:])
    for position, row in reversed(list(enumerate(ranks.to_numpy(dtype=float)[:FOLLOWED]))):
        axes.plot(
            places,
            row,
            color=COLOURS[position],
            marker=MARKERS[position],
            markersize=5,
            linewidth=1.8,
            zorder=3,
        )
    axes.set_xticks(places, [wrapped(scale) for scale in scales], fontsize=8)
    axes.set_ylim(n + 0.7, 0.3)
    step = 5 if n <= MOST_NAMES else 5 * round(n / 25)
    axes.set_yticks(sorted({1, *range(step, n + 1, step)}))
    axes.set_ylabel(f"rank among {n} designs (1 = best)")
    quiet(axes, grid="x")
    _names(axes, ranks.iloc[:, -1] if n <= MOST_NAMES else ranks.iloc[:FOLLOWED, -1], places[-1])
    caption = (
        f"{metric}: order of the {n} designs that every scale has; the"
        f" {min(n, FOLLOWED)} best at {scales[-1]} in colour"
    )
    return picture(figure, name, caption)


def _others(axes: Axes, places: np.ndarray, ranks: np.ndarray) -> None:
    """Draw all other designs in grey as one line with gaps: hundreds of lines take seconds."""
    gap = np.full((len(ranks), 1), np.nan)
    axes.plot(
        np.hstack([np.tile(places, (len(ranks), 1)), gap]).ravel(),
        np.hstack([ranks, gap]).ravel(),
        color="#b9bfc7",
        marker=".",
        markersize=3.5,
        linewidth=0.8,
        zorder=2,
    )


def _names(axes: Axes, last: pd.Series, right: int) -> None:
    """Name designs at their end; those tied there share one label."""
    # Ranks are closer than letters where there are many; then names keep their distance.
    step = max(1.0, axes.get_ylim()[0] / MOST_NAMES)
    height = -step
    names = dict(zip(last.index, distinct([str(d) for d in last.index], NAME_WIDTH), strict=True))
    for rank, tied in last.groupby(last, sort=False):
        label = ", ".join(names[design] for design in tied.index)
        height = max(float(rank), height + step)
        axes.annotate(
            shorten(label, 2 * NAME_WIDTH),
            (right, float(rank)),
            xytext=(right + 0.045 * right, height),
            va="center",
            fontsize=7,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#b9bfc7", "linewidth": 0.5, "shrinkA": 0},
        )
