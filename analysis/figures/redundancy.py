"""The matrix of R² over models between benchmarks, or between groups of items."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from analysis.benchmarks.redundancy import Correlation, Matrix
from analysis.figures.style import STYLE, Picture, canvas, distinct, picture
from analysis.findings.sentences import number

# More series than this leave no room for letters, nor for a reader.
MOST_SERIES = 24
# Up to so many, each cell has room for its interval.
WITH_INTERVALS = 7


@mpl.rc_context(STYLE)
def draw_redundancy(name: str, matrix: Matrix, labels: tuple[str, ...], caption: str) -> Picture:
    """Draw the lower triangle for the given labels (at most `MOST_SERIES` of the matrix's)."""
    pairs = {(pair.first, pair.second): pair for pair in matrix.pairs}
    size = len(labels)
    cell = 0.78 if size <= WITH_INTERVALS else max(0.3, 5.0 / size)
    figure, (axes,) = canvas(1.2 + cell * (size - 1), 0.9 + cell * 0.8 * (size - 1))
    values = np.full((size - 1, size - 1), np.nan)
    for row in range(1, size):
        for column in range(row):
            pair = pairs[(labels[column], labels[row])]
            values[row - 1, column] = np.nan if pair.r2 is None else pair.r2
    axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
    for row in range(1, size):
        for column in range(row):
            _write(axes, row - 1, column, pairs[(labels[column], labels[row])], size)
    short = distinct(labels, 22)
    axes.set_xticks(range(size - 1), short[:-1], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size - 1), short[1:])
    axes.set_title("R² over models (no unit)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return picture(figure, name, caption)


def _write(axes: Axes, row: int, column: int, pair: Correlation, size: int) -> None:
    if pair.r2 is None:
        axes.text(column, row, "–", ha="center", va="center")
        return
    # Cividis passes mid grey at its middle.
    colour = "white" if pair.r2 < 0.52 else "#111111"
    weight = "bold" if pair.verdict == "redundant" else "normal"
    wide = size <= WITH_INTERVALS
    lines = [(number(pair.r2, 2), -0.16 if wide else 0.0, 9 if wide else 7.5 if size <= 14 else 6)]
    if wide:
        low_high = "–" if pair.r2_ci is None else " to ".join(number(e, 2) for e in pair.r2_ci)
        lines.append((low_high, 0.2, 6.5))
    for text, below, points in lines:
        axes.text(
            column,
            row + below,
            text,
            ha="center",
            va="center",
            color=colour,
            weight=weight if text == lines[0][0] else "normal",
            fontsize=points,
        )
