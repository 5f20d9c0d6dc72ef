"""Scores over the size of training data, with the curves fitted to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from analysis.figures.style import (
    INK,
    MARKERS,
    SOFT,
    STYLE,
    WIDTH,
    Picture,
    canvas,
    picture,
    quiet,
    shades,
    shorten,
)
from analysis.findings.data_sizes import DataSizeCurve
from analysis.statistics.plateau import CurveName, fitted

LINES: dict[CurveName, Literal[":", "-", "--"]] = {
    "linear": ":",
    "broken stick": "-",
    "saturating": "--",
}
# Places along a fitted curve, enough to look smooth.
STEPS = 200


@mpl.rc_context(STYLE)
def draw_data_sizes(name: str, curves: Sequence[DataSizeCurve], unit: str) -> Picture:
    """Draw one axis' scores, a colour per scale, and what was fitted to them.

    The chosen curve, or all three where there are too few sizes to choose. A grey band is a knee's
    95 % interval.
    """
    figure, (axes,) = canvas(WIDTH - 0.4, 3.2)
    drawn: set[CurveName] = set()
    for place, (curve, colour) in enumerate(zip(curves, shades(len(curves)), strict=True)):
        marker = MARKERS[place % len(MARKERS)]
        label = shorten(curve.scale, 24)
        axes.plot(curve.sizes, curve.scores, marker, color=colour, markersize=4.5, label=label)
        drawn |= _draw_fits(axes, curve, colour)
        if curve.plateau.knee_ci is not None:
            axes.axvspan(*curve.plateau.knee_ci, color=SOFT, alpha=0.25, linewidth=0)
    _mark_sizes(axes, np.array(curves[0].sizes))
    axes.set_xlabel(f"{shorten(curves[0].axis, 30)} (amount of data, log scale)")
    axes.set_ylabel(f"{shorten(curves[0].metric, 30)} ({unit})")
    quiet(axes)
    styles = [Line2D([], [], color=INK, linestyle=LINES[k], label=k) for k in LINES if k in drawn]
    handles = [*axes.get_legend_handles_labels()[0], *styles]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.17), ncols=3)
    caption = (
        f"{curves[0].metric}: mean score over {curves[0].axis}, with the fitted curves; grey: 95 %"
        " interval of a knee"
    )
    return picture(figure, name, caption)


def _draw_fits(
    axes: Axes, curve: DataSizeCurve, colour: tuple[float, float, float, float]
) -> set[CurveName]:
    """Draw the chosen fit, or all of them; return which."""
    chosen = curve.plateau.chosen
    fits = [fit for fit in curve.plateau.curves if chosen in (None, fit.name)]
    sizes = np.geomspace(min(curve.sizes), max(curve.sizes), STEPS)
    for fit in fits:
        values = fitted(fit, np.log10(sizes), start=np.log10(min(curve.sizes)))
        axes.plot(sizes, values, color=colour, linestyle=LINES[fit.name], linewidth=1.1)
    return {fit.name for fit in fits}


def _mark_sizes(axes: Axes, sizes: np.ndarray) -> None:
    """Write a few of the sizes themselves along x, at most five."""
    axes.set_xscale("log")
    shown = sizes[np.unique(np.linspace(0, len(sizes) - 1, 5).round().astype(int))]
    axes.set_xticks(shown, [_short(size) for size in shown])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)


def _short(amount: float) -> str:
    """Write an amount in four letters or so: 640, 20.5 k, 1.2 M, 3 G."""
    for factor, letter in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if amount >= 10 * factor or (amount >= factor and factor > 1e3):
            return f"{amount / factor:.3g}{letter}"
    return f"{amount:.4g}"
