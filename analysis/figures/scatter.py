"""The scatter of one pair of scales: every design, its error cross, least squares and identity."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import (
    COLOURS,
    INK,
    MARKERS,
    SOFT,
    STYLE,
    WIDTH,
    Picture,
    canvas,
    group_designs,
    picture,
    quiet,
    shorten,
)
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import quoted_interval
from analysis.findings.sentences import number
from analysis.table.table import ScoreTable

# (design, scale) -> standard error in the metric's units.
CellErrors = Mapping[tuple[str, str], float]


@mpl.rc_context(STYLE)
def draw_scatter(
    name: str, table: ScoreTable, pair: Pair, unit: str, errors: CellErrors
) -> Picture:
    """Draw the designs at the small scale against the large, with fitted and identity lines."""
    shared = table.grid(pair.metric)[[pair.small, pair.large]].dropna()
    figure, (axes,) = canvas(WIDTH - 0.4, 3.6)
    title, groups = group_designs(table)
    crossed = _crosses(axes, shared, pair, errors)
    _groups(axes, shared, pair, groups)
    _lines(axes, shared, pair)
    metric = shorten(pair.metric, 40)
    axes.set_xlabel("\n".join(textwrap.wrap(f"{pair.small}: {metric} ({unit})", 50)))
    axes.set_ylabel("\n".join(textwrap.wrap(f"{pair.large}: {metric} ({unit})", 44)))
    axes.set_title(_title(pair))
    quiet(axes)
    low = -0.15 if "\n" not in axes.get_xlabel() else -0.2
    axes.legend(title=title, loc="upper center", bbox_to_anchor=(0.5, low), ncols=3)
    said = "; crosses are ± one standard error" if crossed else ""
    caption = f"{pair.metric}: each design at {pair.small} and at {pair.large}, n = {pair.n}{said}"
    return picture(figure, name, caption)


def _title(pair: Pair) -> str:
    interval = ""
    if quoted := quoted_interval(pair):
        interval = f" [{number(quoted[0], 2)}, {number(quoted[1], 2)}]"
    return f"R² = {number(pair.r2)}{interval}   n = {pair.n}"


def _crosses(axes: Axes, shared: pd.DataFrame, pair: Pair, errors: CellErrors) -> bool:
    """Draw ± one standard error where it is known; tell whether any is."""
    wide, high = (
        np.array([errors.get((design, scale), 0.0) for design in shared.index])
        for scale in (pair.small, pair.large)
    )
    if not (wide.any() or high.any()):
        return False
    axes.errorbar(
        shared[pair.small],
        shared[pair.large],
        xerr=wide,
        yerr=high,
        fmt="none",
        ecolor="#b3b9c1",
        elinewidth=0.8,
        zorder=1.5,
    )
    return True


def _groups(axes: Axes, shared: pd.DataFrame, pair: Pair, groups: Mapping[str, str]) -> None:
    size = 34 if len(shared) <= 60 else 16
    # Over all designs, not only the shared ones: a group keeps its colour from figure to figure.
    for position, group in enumerate(dict.fromkeys(groups.values())):
        part = shared[[groups[design] == group for design in shared.index]]
        if part.empty:
            continue
        axes.scatter(
            part[pair.small],
            part[pair.large],
            s=size,
            c=COLOURS[position],
            marker=MARKERS[position],
            edgecolors="white",
            linewidths=0.6,
            label=shorten(group, 20),
            zorder=3,
        )


def _lines(axes: Axes, shared: pd.DataFrame, pair: Pair) -> None:
    """Add the fitted line over the data's range, and y = x as far as the frame shows it."""
    if shared.empty:
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x = np.array([shared[pair.small].min(), shared[pair.small].max()])
    if pair.slope is not None and pair.intercept is not None:
        fit = pair.intercept + pair.slope * x
        axes.plot(x, fit, color=INK, linewidth=1.4, label="least squares", zorder=2)
    hidden = max(left, bottom) > min(right, top)
    label = "small = large (off the frame)" if hidden else "small = large"
    axes.axline((left, left), slope=1, color=SOFT, linestyle="--", linewidth=1, label=label)
    # axline would widen the frame to its anchor and push the designs into a corner.
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
