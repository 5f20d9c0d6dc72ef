"""Figures of the report: a size x size heatmap of R2 and a scatter per pair of scales.

Drawn with matplotlib's object interface (no global state, no display). Colours are Okabe and Ito's,
which colour-blind readers tell apart, with a marker shape for each so that grey print works too.
"""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import io
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from analysis.pair import Pair
from analysis.sentences import number
from analysis.table import BASE, ScoreTable

# Okabe and Ito (2008), "Color universal design"; yellow left out, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: dict[str, object] = {
    "font.size": 9,
    "axes.edgecolor": "#8a8f98",
    "axes.labelcolor": "#22262b",
    "xtick.color": "#454b54",
    "ytick.color": "#454b54",
    "axes.linewidth": 0.8,
    # Names come from the user's table; a dollar sign in them is no formula.
    "text.parse_math": False,
    # Element ids from the content alone, so that the same table gives the same file.
    "svg.hashsalt": "analysis",
}


@dataclass(frozen=True)
class Picture:
    """A drawn figure: the file's stem, a caption that a screen reader can say, and its bytes."""

    name: str
    caption: str
    png: bytes
    svg: bytes


def draw_heatmap(name: str, metric: str, scales: Sequence[str], pairs: Sequence[Pair]) -> Picture:
    """Draw R2 of every pair of scales with its interval and n: columns small, rows large."""
    by_scales = {(pair.small, pair.large): pair for pair in pairs}
    smalls, larges = list(scales[:-1]), list(scales[1:])
    values = np.full((len(larges), len(smalls)), np.nan)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(2.6 + 1.15 * len(smalls), 1.5 + 0.8 * len(larges)), dpi=160)
        axes = figure.add_subplot()
        for row, large in enumerate(larges):
            for column, small in enumerate(smalls):
                if (pair := by_scales.get((small, large))) is not None:
                    values[row, column] = np.nan if pair.r2 is None else pair.r2
                    _annotate(axes, row, column, pair)
        image = axes.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(smalls)), [_wrapped(scale) for scale in smalls])
        axes.set_yticks(range(len(larges)), [_wrapped(scale) for scale in larges])
        axes.set_xlabel("small scale")
        axes.set_ylabel("large scale")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, label="R² (squared Pearson, no unit)")
        bar.outline.set_visible(False)
        caption = f"R² between model scales on {metric}, with 95 % interval and number of designs"
        return _picture(figure, name, caption)


def _annotate(axes: Axes, row: int, column: int, pair: Pair) -> None:
    """Write R2, its interval and n into a cell, light on dark and dark on light."""
    dark = pair.r2 is not None and pair.r2 < 0.55
    colour = "white" if dark else "#111111"
    head = "no R²" if pair.r2 is None else number(pair.r2)
    axes.text(column, row - 0.2, head, ha="center", va="center", color=colour, weight="bold")
    detail = f"n = {pair.n}"
    if pair.r2_ci:
        detail = f"{number(pair.r2_ci[0], 2)} to {number(pair.r2_ci[1], 2)}\n{detail}"
    axes.text(column, row + 0.19, detail, ha="center", va="center", color=colour, fontsize=7.5)


def draw_scatter(name: str, table: ScoreTable, pair: Pair, unit: str) -> Picture:
    """Draw the designs at the small scale against the large, with fitted and identity lines."""
    shared = table.grid(pair.metric)[[pair.small, pair.large]].dropna()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.3, 4.6), dpi=160)
        axes = figure.add_subplot()
        title, groups = group_designs(table)
        _scatter_groups(axes, shared, pair, groups)
        _lines(axes, shared, pair)
        axes.set_xlabel("\n".join(textwrap.wrap(f"{pair.small}: {pair.metric} ({unit})", 52)))
        axes.set_ylabel("\n".join(textwrap.wrap(f"{pair.large}: {pair.metric} ({unit})", 52)))
        axes.set_title(f"R² = {number(pair.r2)}   n = {pair.n}", loc="left", fontsize=10)
        axes.grid(color="#e4e7eb", linewidth=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(
            title=title,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.14),
            ncols=3,
            frameon=False,
            fontsize=7.5,
            title_fontsize=7.5,
        )
        caption = f"{pair.metric}: each design at {pair.small} and at {pair.large}, n = {pair.n}"
        return _picture(figure, name, caption)


def group_designs(table: ScoreTable) -> tuple[str | None, Mapping[str, str]]:
    """Choose what colours mean: the first block, else the axis on which a design leaves base.

    Returns:
        A legend title and design -> group; every design in group "designs" where neither is known
        or there are more groups than colours.
    """
    title: str | None = None
    groups = dict.fromkeys(table.designs.index, "designs")
    if table.blocks:
        title = table.blocks[0]
        groups = dict(table.designs[title])
    elif table.axes and (table.designs[list(table.axes)] == BASE).any(axis=None):
        title = "axis changed"
        groups = {
            design: _changed(dict(zip(table.axes, levels, strict=True)))
            for design, levels in zip(
                table.designs.index, table.designs[list(table.axes)].to_numpy(), strict=True
            )
        }
    if len(set(groups.values())) > len(COLOURS):
        return None, dict.fromkeys(groups, "designs")
    return title, groups


def _changed(levels: Mapping[str, str]) -> str:
    changed = [axis for axis, level in levels.items() if level != BASE]
    return changed[0] if len(changed) == 1 else "several" if changed else BASE


def _scatter_groups(
    axes: Axes, shared: pd.DataFrame, pair: Pair, groups: Mapping[str, str]
) -> None:
    # Over all designs, not only the shared ones: a group keeps its colour from figure to figure.
    for position, group in enumerate(dict.fromkeys(groups.values())):
        part = shared[[groups[design] == group for design in shared.index]]
        if part.empty:
            continue
        axes.scatter(
            part[pair.small],
            part[pair.large],
            s=34,
            c=COLOURS[position],
            marker=MARKERS[position],
            edgecolors="white",
            linewidths=0.6,
            label=group,
            zorder=3,
        )


def _lines(axes: Axes, shared: pd.DataFrame, pair: Pair) -> None:
    """Add the fitted line over the data's range, and y = x as far as the frame shows it."""
    if shared.empty:
        return
    x = np.array([shared[pair.small].min(), shared[pair.small].max()])
    if pair.slope is not None and pair.intercept is not None:
        fit = pair.intercept + pair.slope * x
        axes.plot(x, fit, color="#22262b", linewidth=1.4, label="least squares", zorder=2)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    hidden = max(left, bottom) > min(right, top)
    label = "small = large (off the frame)" if hidden else "small = large"
    axes.axline((left, left), slope=1, color="#8a8f98", linestyle="--", linewidth=1, label=label)
    # axline would widen the frame to its anchor and push the designs into a corner.
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def _wrapped(name: str) -> str:
    """Break a long scale name at its dashes, so that ticks do not run into each other."""
    return "\n".join(textwrap.wrap(name, 13, break_on_hyphens=True))


def _picture(figure: Figure, name: str, caption: str) -> Picture:
    """Render one figure in both formats."""
    FigureCanvasAgg(figure)
    return Picture(name, caption, _rendered(figure, "png"), _rendered(figure, "svg"))


def _rendered(figure: Figure, form: Literal["png", "svg"]) -> bytes:
    buffer = io.BytesIO()
    # Without a date, the same table gives the same bytes.
    metadata = {"Date": None} if form == "svg" else None
    with warnings.catch_warnings():
        # A name in a script that the bundled font lacks shows boxes; the page's text has it right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format=form, metadata=metadata, bbox_inches="tight")
    return buffer.getvalue()
