"""The size x size heatmaps: R² and decision accuracy of every pair of scales, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from analysis.figures.style import STYLE, Picture, canvas, picture, wrapped
from analysis.findings.pair import Pair
from analysis.findings.pair_verdict import believed_interval, quoted_interval
from analysis.findings.sentences import number, percent
from analysis.statistics.intervals import Interval


@dataclass(frozen=True)
class Shown:
    """What a heatmap shows of a pair: the value, its interval, and how both are written."""

    what: str
    value: Callable[[Pair], float | None]
    interval: Callable[[Pair], Interval | None]
    written: Callable[[float | None], str]
    lowest: float


R2 = Shown(
    what="R² (squared Pearson, no unit)",
    value=lambda pair: pair.r2,
    interval=quoted_interval,
    written=lambda value: number(value, 2),
    lowest=0.0,
)
DECISIONS = Shown(
    what="decision accuracy (share of pairs)",
    value=lambda pair: pair.decision_accuracy,
    interval=lambda pair: believed_interval(pair.resampling, "decision_accuracy"),
    written=percent,
    lowest=0.5,
)


@mpl.rc_context(STYLE)
def draw_heatmap(
    name: str, metric: str, scales: Sequence[str], pairs: Sequence[Pair], shown: Shown, source: str
) -> Picture:
    """Draw every pair of scales: columns small, rows large; `source` says what the interval is."""
    by_scales = {(pair.small, pair.large): pair for pair in pairs}
    smalls, larges = list(scales[:-1]), list(scales[1:])
    values = np.full((len(larges), len(smalls)), np.nan)
    figure, (axes,) = canvas(0.9 + 1.02 * len(smalls), 0.6 + 0.72 * len(larges))
    for row, large in enumerate(larges):
        for column, small in enumerate(smalls):
            if (pair := by_scales.get((small, large))) is not None:
                value = shown.value(pair)
                if pair.verdict_evidence.signal:
                    values[row, column] = np.nan if value is None else value
                else:
                    axes.add_patch(_grey(row, column))
                _annotate(axes, row, column, pair, shown)
    axes.imshow(values, cmap="cividis", vmin=shown.lowest, vmax=1, aspect="auto")
    axes.set_xticks(range(len(smalls)), [wrapped(scale) for scale in smalls])
    axes.set_yticks(range(len(larges)), [wrapped(scale) for scale in larges])
    axes.set_xlabel("small scale")
    axes.set_ylabel("large scale")
    axes.set_title(shown.what)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    caption = f"{metric}: {shown.what} between scales, with {source} and n designs"
    return picture(figure, name, caption)


def _grey(row: int, column: int) -> Rectangle:
    """A cell whose value says nothing: hatched, in no colour of the scale."""
    corner = (column - 0.5, row - 0.5)
    return Rectangle(
        corner, 1, 1, facecolor="#dddddd", edgecolor="#c4c4c4", hatch="//", linewidth=0
    )


def _annotate(axes: Axes, row: int, column: int, pair: Pair, shown: Shown) -> None:
    """Write the value, its interval and n into a cell, light on dark and dark on light."""
    value, interval = shown.value(pair), shown.interval(pair)
    # Cividis passes mid grey at its middle; a cell without a value stays white.
    signal = pair.verdict_evidence.signal
    dark = signal and value is not None and value < shown.lowest + 0.52 * (1 - shown.lowest)
    colour = "white" if dark else "#111111"
    head = "not defined" if value is None else shown.written(value)
    weight = "normal" if value is None else "bold"
    axes.text(column, row - 0.24, head, ha="center", va="center", color=colour, weight=weight)
    lines = [f"n = {pair.n}"]
    if interval:
        lines.insert(0, f"{shown.written(interval[0])} to {shown.written(interval[1])}")
    if not signal:
        lines[-1] += ", no signal"
    axes.text(
        column, row + 0.17, "\n".join(lines), ha="center", va="center", color=colour, fontsize=7.5
    )
